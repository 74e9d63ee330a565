"""`dermlab table`: a row a recipe, narrow enough for a terminal or a message."""

import csv
import io

from rich import box
from rich.table import Table

from dermlab.report.render import markdown_table, points, points_bounds, score
from dermlab.verdict.compare import changes
from dermlab.verdict.paired import Comparison
from dermlab.verdict.seeds import Recipe

HEADER = ("recipe", "what differs", "seeds", "top-1", "macro F1", "rare recall", "Δ top-1, points", "verdict")
SHOWN = ("top1", "macro_f1", "rare_recall")
SEVERAL = "†"
NOTE = f"{SEVERAL} differs in more than one param: what of them made the difference, this row does not tell."


def rows_of(comparison: Comparison) -> list[list[str]]:
    """Recipes where any has several seeds, else runs; the baseline first. One list a row, as HEADER."""
    rows = []
    for recipe in comparison.recipes:
        spread = {name: f" ± {score(recipe.spread[name])}" if recipe.spread else "" for name in SHOWN}
        means = [score(recipe.mean[name]) + spread[name] for name in SHOWN]
        rows.append([recipe.name, _differs(comparison, recipe.name), str(len(recipe.seeds)), *means, *_told(comparison, recipe)])
    if not rows:
        rows.append([comparison.baseline, "", "1", *(score(comparison.headline[name]) for name in SHOWN), "", "baseline"])
        for row in comparison.rows:
            top1 = row.headline["top1"]
            cells = [score(row.headline[shown].value) for shown in SHOWN]
            told = f"{points(top1.delta)} {points_bounds(top1.bounds)}".strip()
            rows.append([row.name, _differs(comparison, row.name), "1", *cells, told, top1.verdict])
    return rows


def as_table(comparison: Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for position, name in enumerate(HEADER):
        is_text = position in (0, 1, len(HEADER) - 1)
        table.add_column(name, justify="left" if is_text else "right", overflow="fold", max_width=24 if position < 2 else None)
    rows = rows_of(comparison)
    for row in rows:
        table.add_row(*row)
    if any(SEVERAL in row[1] for row in rows):
        table.caption, table.caption_justify = NOTE, "left"
    return table


def as_markdown(comparison: Comparison) -> str:
    rows = rows_of(comparison)
    note = f"\n\n{NOTE}" if any(SEVERAL in row[1] for row in rows) else ""
    return markdown_table(HEADER, rows, left=2) + note


def as_csv(comparison: Comparison) -> str:
    """Cells that a spreadsheet would take for a formula begin with an apostrophe."""
    with io.StringIO() as buffer:
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows([_plain(cell) for cell in row] for row in rows_of(comparison))
        return buffer.getvalue()


def _plain(cell: str) -> str:
    return f"'{cell}" if cell[:1] in ("=", "@", "+", "-", "\t", "\r") and not cell[1:2].isdigit() else cell


def _differs(comparison: Comparison, name: str) -> str:
    row = next((row for row in comparison.rows if row.name == name), None)
    if row is None:
        return ""
    changed = {key: values for key, values in row.changed.items() if key != "seed"}
    return changes(row) + (f" {SEVERAL}" if len(changed) > 1 else "")


def _told(comparison: Comparison, recipe: Recipe) -> tuple[str, str]:
    if not recipe.differences:
        return "", "baseline" if recipe is comparison.recipes[0] else "one seed"
    top1 = recipe.differences["top1"]
    return f"{points(top1.delta)} {points_bounds(top1.bounds)}".strip(), top1.verdict
