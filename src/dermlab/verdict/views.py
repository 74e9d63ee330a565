"""A verdict as text, Markdown, page and JSON. They show what `judge` found and find nothing themselves."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from math import isfinite
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from dermlab.report.render import SCORE_LABELS, change_bounds, markdown_table, points_bounds, render, score
from dermlab.run.files import write_text
from dermlab.scores.differences import Difference
from dermlab.scores.group_scores import SCORES
from dermlab.scores.headline import HEADLINE
from dermlab.verdict import card
from dermlab.verdict.advice import rules
from dermlab.verdict.groups import answers, widest_gaps
from dermlab.verdict.judge import Verdict

MOST_CLASSES = 60  # that Markdown lists: a comment has to stay short enough to be taken


def as_text(verdict: Verdict) -> list[Text]:
    """For a terminal: the advice on each recipe, and below it what else was seen."""
    lines = [Text(verdict.warning), Text()] if verdict.warning else []
    if told := answers(verdict):
        lines += [*(Text(answer, style="bold") for answer in told), Text()]
    lines += [Text(card.asked_for(verdict.question)), Text()]
    for recipe in verdict.judged:
        lines += [Text(recipe.advice.sentence, style="bold"), *(Text(f"  {reason}") for reason in recipe.advice.reasons), Text()]
    return lines


def scores_table(verdict: Verdict) -> Table:
    """The rest of the headline, a row a score."""
    return _differences_table("Other scores", verdict, [name for name in HEADLINE if name not in card.shown(verdict.question)])


def classes_table(verdict: Verdict) -> Table:
    """F1 of each class, the commonest first."""
    names = _by_images(verdict)
    table = Table(title="F1 per class, and differences in points", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.title_justify = table.caption_justify = "left"
    table.caption = "* rarest third in training"
    table.add_column("class", max_width=38)
    table.add_column("images", justify="right")
    table.add_column(Text(verdict.baseline.name), justify="right", max_width=16, overflow="fold")
    roomy = len(verdict.judged) <= 2
    for recipe in verdict.judged:
        table.add_column(Text(recipe.name), justify="right", max_width=24 if roomy else 12, overflow="fold")
    for name in names:
        cells = []
        for recipe in verdict.judged:
            d = recipe.class_differences[name]
            cells.append(Text(f"{card.arrowed(d)} {points_bounds(d.bounds) if roomy else ''}".strip(), style=card.STYLES[d.verdict]))
        table.add_row(Text(_starred(verdict, name)), f"{verdict.images_of[name]:,}", score(verdict.baseline.classes[name]), *cells)
    return table


def as_markdown(verdict: Verdict) -> str:
    """For a pull request: the card, what was seen, and each class once."""
    names = _by_images(verdict)
    header = ["class", "images", verdict.baseline.name, *(recipe.name for recipe in verdict.judged)]
    rows = [
        [_starred(verdict, name), f"{verdict.images_of[name]:,}", score(verdict.baseline.classes[name])]
        + [f"{card.arrowed(d)} {points_bounds(d.bounds)}".strip() for d in (recipe.class_differences[name] for recipe in verdict.judged)]
        for name in names
    ]
    others = [name for name in HEADLINE if name not in card.shown(verdict.question)]
    more = [
        [SCORE_LABELS[name], score(verdict.baseline.mean[name])]
        + [
            f"{card.arrowed(d, name)} {change_bounds(d.bounds, name)}".strip()
            for d in (recipe.differences[name] for recipe in verdict.judged)
        ]
        for name in others
    ]
    return render(
        "verdict.md.j2",
        "dermlab.verdict",
        verdict=verdict,
        answers=answers(verdict),
        asked=card.asked_for(verdict.question),
        card=card.as_markdown(verdict),
        legend=card.LEGEND.split(". ━")[0],
        scores=markdown_table(["score", verdict.baseline.name, *(recipe.name for recipe in verdict.judged)], more),
        classes=markdown_table(header, rows[:MOST_CLASSES]),
        left_out=max(0, len(rows) - MOST_CLASSES),
        rules=rules(verdict.question),
    )


def write_html(verdict: Verdict, path: Path | str) -> None:
    """One self-contained page: the card as a forest plot, then what else was seen, and each class once."""
    page = render(
        "verdict.html.j2",
        "dermlab.verdict",
        verdict=verdict,
        answers=answers(verdict),
        group_scores=SCORES,
        group_reach=_reach(d for recipe in verdict.judged for scores in recipe.group_differences.values() for d in scores.values()),
        gap_rows=widest_gaps(verdict),
        gap_reach=_reach(d for recipe in verdict.judged for d in recipe.gap_differences.values()),
        asked=card.asked_for(verdict.question),
        shown=card.shown(verdict.question),
        reach={name: card.reach(verdict, name) for name in (*HEADLINE, *card.shown(verdict.question))},
        class_reach={
            recipe.name: max([0.01, *(abs(end) for d in recipe.class_differences.values() if d.bounds for end in d.bounds)])
            for recipe in verdict.judged
        },
        arrows=card.ARROWS,
        changes=card.changes,
        classes=_by_images(verdict),
        others=[name for name in HEADLINE if name not in card.shown(verdict.question)],
        rules=rules(verdict.question),
    )
    write_text(path, page)


def write_json(verdict: Verdict, path: Path | str) -> None:
    """Every sentence and every number behind it."""
    write_text(path, json.dumps(_plain(asdict(verdict)), indent=2, default=str, allow_nan=False) + "\n")


def _plain(value: object) -> object:
    """JSON knows no NaN and no infinity: null. A difference is written out."""
    if isinstance(value, dict):
        delta = {"delta": value["value"] - value["baseline"]} if {"baseline", "value", "bounds"} <= set(value) else {}
        return {key: _plain(item) for key, item in (value | delta).items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _differences_table(title: str, verdict: Verdict, names: list[str]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.title_justify = "left"
    table.add_column("score")
    table.add_column(Text(verdict.baseline.name), justify="right", max_width=16, overflow="fold")
    for recipe in verdict.judged:
        table.add_column(Text(recipe.name), justify="right", max_width=24, overflow="fold")
    for name in names:
        cells = []
        for recipe in verdict.judged:
            d = recipe.differences[name]
            cells.append(Text(f"{card.arrowed(d, name)}\n{change_bounds(d.bounds, name)}", style=card.STYLES[d.verdict]))
        table.add_row(SCORE_LABELS[name], score(verdict.baseline.mean[name]), *cells)
    return table


def _reach(differences: Iterable[Difference]) -> float:
    """Half the width of the plots of these, one for all."""
    return max([0.01, *(abs(end) for d in differences if d.bounds for end in d.bounds)])


def _by_images(verdict: Verdict) -> list[str]:
    return sorted(verdict.baseline.classes, key=lambda name: (-verdict.images_of[name], name))


def _starred(verdict: Verdict, name: str) -> str:
    return f"{name} *" if name in verdict.rare else name
