"""What `dermlab compare` shows: experiments against a baseline, each difference with its interval and a plain verdict.

`load_run` reads an experiment (`verdict/runs.py`), `compare` computes (`verdict/paired.py`); here stand the views.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from dermlab.report.render import SCORE_LABELS, markdown_table, points, points_bounds, render, score
from dermlab.run.files import write_text
from dermlab.scores.bootstrap import MIN_PATIENTS
from dermlab.scores.differences import BETTER, NOT_APART, TOO_FEW, WORSE, Difference
from dermlab.scores.headline import HEADLINE
from dermlab.verdict.finding import RULES, findings
from dermlab.verdict.paired import Comparison, Row, Run, compare
from dermlab.verdict.runs import load_run
from dermlab.verdict.seeds import Recipe

__all__ = ["Comparison", "Run", "as_markdown", "as_table", "as_text", "compare", "load_run", "per_class_table", "write_html", "write_json"]

ARROWS = {BETTER: "▲", WORSE: "▼", NOT_APART: "", TOO_FEW: "?"}
STYLES = {BETTER: "green", WORSE: "red", NOT_APART: "", TOO_FEW: "dim"}
LEGEND = (
    "▲ better, ▼ worse: the 95 % interval leaves out zero (of a class: also after Holm's correction). No arrow: not told apart. "
    f"?: fewer than {MIN_PATIENTS} patients, so no interval."
)
NAME_WIDTH = 16
RECIPE_SCORES = ("top1", "macro_f1", "rare_recall")  # drawn for recipes over seeds
NO_ARROW = "\N{NO-BREAK SPACE}"


def as_table(comparison: Comparison) -> Table:
    """The headline, a row an experiment (and a recipe, where there are several seeds): each score, and below it the
    difference in points. Fits 100 columns."""
    table = _table("Headline", LEGEND)
    table.add_column("experiment", min_width=10, max_width=NAME_WIDTH, overflow="fold")
    for name in ("top-1", "Δ top-1, points", "top-3", "macro F1", "balanced", "rare", "sink", "Brier", "NLL"):
        table.add_column(name, justify="right", no_wrap=True)
    others = [name for name in HEADLINE if name != "top1"]
    if not comparison.is_study:  # else single runs stand in the page alone
        first = comparison.headline
        table.add_row(Text(comparison.baseline), score(first["top1"]), "baseline", *(_flush(score(first[name])) for name in others))
        for row in comparison.rows:
            top1 = row.headline["top1"]
            table.add_row(Text(row.name), score(top1.value), _told(top1), *(_cell(row.headline[name]) for name in others))
        if comparison.recipes:
            table.add_section()
    for recipe in comparison.recipes:
        name = Text(f"{recipe.name}\nover {len(recipe.seeds)} seed{'s' if len(recipe.seeds) > 1 else ''}")
        told = _told(recipe.differences["top1"], " (seeds)") if recipe.differences else "baseline" if comparison.is_study else ""
        table.add_row(name, _mean(recipe, "top1"), told, *(_mean(recipe, metric) for metric in others))
    return table


def per_class_table(comparison: Comparison) -> Table:
    """F1 of each class, the baseline's and how the others differ in points; with intervals where they fit 100 columns."""
    table = _table("F1 per class, and differences in points", "* rarest third in training")
    table.add_column("class", max_width=38)
    table.add_column("images", justify="right")
    table.add_column(Text(comparison.baseline), justify="right", max_width=NAME_WIDTH, overflow="fold")
    roomy = len(comparison.rows) <= 2
    for row in comparison.rows:
        table.add_column(Text(row.name), justify="right", max_width=22 if roomy else 9, overflow="fold")
    for name in _by_images(comparison):
        cells = [_per_class_cell(row.per_class[name], roomy) for row in comparison.rows]
        table.add_row(_starred(comparison, name), f"{comparison.images_of[name]:,}", score(comparison.per_class[name]), *cells)
    return table


def as_markdown(comparison: Comparison) -> str:
    """For a pull request: both tables, aligned, and the notes."""
    labels = [SCORE_LABELS[name] for name in HEADLINE]
    header = ["experiment", *labels, "Δ top-1 [95 %]", "McNemar p", "top-1"]
    rows = [[comparison.baseline, *(score(comparison.headline[m]) for m in HEADLINE), "", "", "baseline"]]
    for row in comparison.rows:
        top1 = row.headline["top1"]
        cells = [_with_arrow(score(row.headline[m].value), row.headline[m]) for m in HEADLINE]
        rows.append([row.name, *cells, f"{points(top1.delta)} {points_bounds(top1.bounds)}", p_value(row.mcnemar_p), top1.verdict])
    recipes = []
    for recipe in comparison.recipes:
        told = recipe.differences.get("top1")
        cells = [
            score(recipe.mean[m]) + _plus_minus(recipe.spread, m, " ± ") + (f" ({_arrowed(recipe.differences[m]).strip()})" if told else "")
            for m in HEADLINE
        ]
        said = (f"{points(told.delta)} {points_bounds(told.bounds)}", told.verdict) if told else ("", "")
        recipes.append([recipe.name, str(len(recipe.seeds)), *cells, *said])
    per_class = [
        [_starred(comparison, name), f"{comparison.images_of[name]:,}", score(comparison.per_class[name])]
        + [f"{_with_arrow(points(d.delta), d)} {points_bounds(d.bounds)}".strip() for d in (row.per_class[name] for row in comparison.rows)]
        for name in _by_images(comparison)
    ]
    return render(
        "comparison.md.j2",
        "dermlab.verdict",
        comparison=comparison,
        findings=findings(comparison),
        rules=RULES,
        compared=_compared(comparison),
        headline=markdown_table(header, rows),
        recipes=markdown_table(["recipe", "seeds", *labels, "Δ top-1 [95 %]", "top-1"], recipes) if recipes else "",
        per_class=markdown_table(["class", "images", comparison.baseline, *(row.name for row in comparison.rows)], per_class),
        legend=LEGEND,
        changed={row.name: changes(row) for row in comparison.rows},
    )


def write_html(comparison: Comparison, path: Path | str) -> None:
    """One self-contained page: every score and class as dot and interval about a zero line."""
    page = render(
        "comparison.html.j2",
        "dermlab.verdict",
        comparison=comparison,
        findings=findings(comparison),
        rules=RULES,
        classes=_by_images(comparison),
        reach=(_reach([row.headline for row in comparison.rows]), _reach([row.per_class for row in comparison.rows])),
        recipe_scores=RECIPE_SCORES,
        recipe_reach=_reach([{m: recipe.differences[m] for m in RECIPE_SCORES} for recipe in comparison.recipes if recipe.differences]),
        compared=_compared(comparison),
        changed={row.name: changes(row) for row in comparison.rows},
        p_value=p_value,
        headline_names=HEADLINE,
    )
    write_text(path, page)


def as_text(comparison: Comparison) -> list[str]:
    """What was found, for a terminal: a verdict, its reasons and the advice of each run or recipe."""
    lines = [escape(comparison.warning), ""] if comparison.warning else []
    for found in findings(comparison):
        lines += [f"[bold]{escape(found.verdict)}[/bold]", *map(escape, found.reasons), escape(found.advice), ""]
    return lines


def write_json(comparison: Comparison, path: Path | str) -> None:
    """Findings and every number behind them."""
    content = {"findings": [asdict(found) for found in findings(comparison)], **asdict(comparison)}
    write_text(path, json.dumps(content, indent=2, default=str) + "\n")


def _compared(comparison: Comparison) -> list[str]:
    return [recipe.name for recipe in comparison.recipes[1:]] if comparison.is_study else [row.name for row in comparison.rows]


def changes(row: Row) -> str:
    """What the run's params.yaml has that the baseline's has not: `loss=focal (ce)`."""
    return ", ".join(f"{key}={_plain(new)} ({_plain(old)})" for key, (old, new) in row.changed.items()) or "same params"


def p_value(p: float) -> str:
    return "<0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.2f}"


def _plain(value: object) -> str:
    return "absent" if value is None else str(value)


def _reach(runs: Sequence[Mapping[str, Difference]]) -> float:
    """Half the width of the plots, the same for every run: of the widest interval, at least one point."""
    ends = [abs(end) for run in runs for d in run.values() if d.bounds for end in d.bounds]
    return max([0.01, *ends])


def _table(title: str, caption: str) -> Table:
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.title_justify = table.caption_justify = "left"
    return table


def _told(difference: Difference, how: str = "") -> Text:
    return _styled(f"{points(difference.delta)} {points_bounds(difference.bounds)}\n{difference.verdict}{how}", difference.verdict)


def _mean(recipe: Recipe, metric: str) -> Text:
    """Mean and standard deviation over seeds, and below them the difference from the baseline's recipe."""
    text = _flush(score(recipe.mean[metric]) + _plus_minus(recipe.spread, metric, "\n±"))
    if not recipe.differences or metric == "top1":
        return Text(text)
    difference = recipe.differences[metric]
    return _styled(f"{text}\n{_arrowed(difference)}", difference.verdict)


def _cell(difference: Difference) -> Text:
    return _styled(f"{_flush(score(difference.value))}\n{_arrowed(difference)}", difference.verdict)


def _per_class_cell(difference: Difference, roomy: bool) -> Text:
    bounds = f"{points_bounds(difference.bounds)} " if roomy and difference.bounds else ""
    return _styled(f"{points(difference.delta)} {bounds}{ARROWS[difference.verdict] or NO_ARROW}", difference.verdict)


def _arrowed(difference: Difference) -> str:
    return f"{points(difference.delta)} {ARROWS[difference.verdict] or NO_ARROW}"


def _flush(text: str) -> str:
    """Room for the arrow that the other lines of the column may have, so that digits stand below digits."""
    return "\n".join(f"{line} {NO_ARROW}" for line in text.split("\n"))


def _with_arrow(text: str, difference: Difference) -> str:
    return f"{text} {ARROWS[difference.verdict]}".strip()


def _styled(text: str, verdict: str) -> Text:
    return Text(text, style=STYLES[verdict])


def _plus_minus(spread: Mapping[str, float], name: str, sign: str) -> str:
    return sign + score(spread[name]).removeprefix("0") if spread else ""


def _by_images(comparison: Comparison) -> list[str]:
    return sorted(comparison.per_class, key=lambda name: (-comparison.images_of[name], name))


def _starred(comparison: Comparison, name: str) -> str:
    return f"{name} *" if name in comparison.rare else name
