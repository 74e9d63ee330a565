"""The decision card: a row a recipe, what was asked and two scores beside it, with both uncertainties drawn. Terminal, Markdown and page
show these rows, and `dermlab table` nothing else."""

import csv
import io

from markupsafe import Markup
from rich import box
from rich.table import Table
from rich.text import Text

from dermlab.report.render import SCORE_LABELS, change, in_points, markdown_table, no_formula, points, points_bounds, score
from dermlab.scores.bootstrap import MIN_PATIENTS
from dermlab.scores.differences import BETTER, NOT_APART, TOO_FEW, WORSE, Difference
from dermlab.verdict.judge import Recipe, Verdict
from dermlab.verdict.question import Question

ARROWS = {BETTER: "▲", WORSE: "▼", NOT_APART: "", TOO_FEW: "?"}
STYLES = {BETTER: "green", WORSE: "red", NOT_APART: "dim", TOO_FEW: "dim"}
LEGEND = (
    f"▲ better, ▼ worse; no arrow: not told apart among so many; ?: fewer than {MIN_PATIENTS} patients. ━ patients alone, ─ with trainings"
)
BESIDE = ("macro_f1", "top3")  # stand beside what was asked
WIDTH = 17  # characters of a line in the terminal
SEVERAL = "†"
NOTE = f"{SEVERAL} differs in more than one param: what of them made the difference, this row does not tell."


def shown(question: Question) -> tuple[str, ...]:
    """The scores of the card, what was asked first."""
    return tuple(dict.fromkeys((question.primary, question.guarded, *BESIDE)))


def changes(recipe: Recipe) -> str:
    """What its params have that the baseline's have not: `loss=focal (ce)`."""
    said = ", ".join(f"{key}={_plain(new)} ({_plain(old)})" for key, (old, new) in recipe.changed.items()) or "same params"
    return f"{said} {SEVERAL}" if len(recipe.changed) > 1 else said


def reach(verdict: Verdict, name: str) -> float:
    """Half the width of a score's plots, the same for all recipes: of the widest interval, at least one point."""
    found = [recipe.differences[name] for recipe in verdict.judged]
    return max([0.01, *(abs(end) for d in found if d.bounds for end in d.bounds)])


def rows_of(verdict: Verdict) -> tuple[list[str], list[list[str]]]:
    """Header and cells, the baseline first: recipe, what differs, seeds, each score's mean and difference, the advice."""
    names = shown(verdict.question)
    header = ["recipe", "what differs", "seeds"]
    for name in names:
        header += [SCORE_LABELS[name], "Δ, points"]
    rows = []
    for recipe in verdict.recipes:
        row = [recipe.name, changes(recipe) if recipe.advice else "", str(len(recipe.runs))]
        for name in names:
            row += [_mean(recipe, name), _change(recipe.differences[name]) if recipe.advice else ""]
        rows.append([*row, recipe.advice.word if recipe.advice else "baseline"])
    return [*header, "advice"], rows


def as_table(verdict: Verdict) -> Table:
    """For a terminal of 120 columns; each difference with its interval below it, drawn below that."""
    names = shown(verdict.question)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("recipe", overflow="fold", max_width=18)
    table.add_column("seeds", justify="right")
    for name in names:
        table.add_column(f"{SCORE_LABELS[name]}\nΔ, points", justify="left", no_wrap=True)
    table.add_column("advice", overflow="fold", max_width=12)
    ends = {name: reach(verdict, name) for name in names}
    for recipe in verdict.recipes:
        cells = [_cell(recipe, name, ends[name]) for name in names]
        differs = Text(f"\n{changes(recipe)}", style="dim") if recipe.advice else Text("")
        table.add_row(Text(recipe.name) + differs, str(len(recipe.runs)), *cells, recipe.advice.word if recipe.advice else "baseline")
    table.caption = "\n".join([LEGEND, *([NOTE] if _has_several(verdict) else [])])
    table.caption_justify = "left"
    return table


def as_markdown(verdict: Verdict) -> Markup:
    header, rows = rows_of(verdict)
    return markdown_table(header, rows, left=2) + Markup(f"\n\n{NOTE}" if _has_several(verdict) else "")


def as_csv(verdict: Verdict) -> str:
    """A number a cell, shares and their differences as they are, not in points. Cells that a spreadsheet would take for a formula begin
    with an apostrophe."""
    names = shown(verdict.question)
    header = ["recipe", "what differs", "seeds", "advice"]
    for name in names:
        header += [name, f"{name} sd", f"{name} difference", f"{name} low", f"{name} high", f"{name} verdict"]
    with io.StringIO() as buffer:
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(header)
        for recipe in verdict.recipes:
            told = (changes(recipe), recipe.advice.word) if recipe.advice else ("", "baseline")
            row: list[object] = [no_formula(recipe.name), no_formula(told[0]), len(recipe.runs), told[1]]
            for name in names:
                d = recipe.differences.get(name)
                low, high = d.bounds if d and d.bounds else ("", "")
                row += [recipe.mean[name], recipe.spread.get(name, ""), *((d.delta, low, high, d.verdict) if d else [""] * 4)]
            writer.writerow(row)
        return buffer.getvalue()


def asked_for(question: Question) -> str:
    """One line above the card."""
    return (
        f"Asked: is {SCORE_LABELS[question.primary]} better, and {SCORE_LABELS[question.guarded]} not worse by more than "
        f"{in_points(question.margin)}?"
    )


def strip(d: Difference, end: float, width: int = WIDTH) -> str:
    """The interval on a scale of -end..end in `width` characters: the whole of it thin, patients alone thick, a dot at the difference."""

    def at(x: float) -> int:
        return round((width - 1) * (min(max(x / end, -1), 1) + 1) / 2)

    line = [" "] * width
    line[at(0)] = "┊"
    for bounds, mark in ((d.bounds, "─"), (d.of_patients, "━")):
        if bounds is not None and d.bounds is not None:
            low, high = max(bounds[0], d.bounds[0]), min(bounds[1], d.bounds[1])
            for place in range(at(low), at(high) + 1):
                line[place] = "┼" if place == at(0) and mark == "─" else mark
    line[at(d.delta)] = "●"
    return "".join(line)


def arrowed(d: Difference, name: str = "") -> str:
    """`name`: of the score; a class has its F1."""
    return f"{change(d.delta, name)} {ARROWS[d.verdict]}".strip()


def _cell(recipe: Recipe, name: str, end: float) -> Text:
    if not recipe.advice:
        return Text(_mean(recipe, name))
    d = recipe.differences[name]
    return Text(f"{arrowed(d)}\n{points_bounds(d.bounds)}\n{strip(d, end) if d.bounds else ''}", style=STYLES[d.verdict])


def _change(d: Difference) -> str:
    return f"{points(d.delta)} {points_bounds(d.bounds)} {ARROWS[d.verdict]}".replace("  ", " ").strip()


def _mean(recipe: Recipe, name: str) -> str:
    return score(recipe.mean[name]) + (f" ± {score(recipe.spread[name])}" if recipe.spread else "")


def _has_several(verdict: Verdict) -> bool:
    return any(len(recipe.changed) > 1 for recipe in verdict.judged)


def _plain(value: object) -> str:
    return "absent" if value is None else str(value)
