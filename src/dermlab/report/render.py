"""How numbers, tables and pages are written: one Jinja2 environment, pages that need nothing from outside."""

import math
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from dermlab.report import figures
from dermlab.scores.bootstrap import MIN_PATIENTS
from dermlab.scores.tiers import ABSTAIN, ANSWER, TOP3


class _Labels(dict[str, str]):
    """A group of classes goes by its sensitivity."""

    def __missing__(self, name: str) -> str:
        return f"sensitivity of {name}"


SCORE_LABELS = _Labels({
    "top1": "top-1", "top3": "top-3", "macro_f1": "macro F1", "balanced_accuracy": "balanced accuracy", "rare_recall": "rare recall",
    "sink_ratio": "sink ratio", "brier": "Brier", "nll": "NLL",
})  # fmt: skip
SCORE_MEANINGS = {
    "top1": "share of test images whose likeliest class is right",
    "top3": "share whose class is among the three likeliest",
    "macro_f1": "mean F1 of the classes, each counting the same",
    "balanced_accuracy": "mean recall of the classes, each counting the same",
    "rare_recall": "mean recall of the rarest third of the classes",
    "sink_ratio": "how often the commonest class is predicted for each time it occurs; 1 is right",
    "brier": "squared distance of the probabilities from the truth, 0 to 2; lower is better",
    "nll": "mean of -log p(right class); lower is better",
}
NO_SHARES = ("sink_ratio", "brier", "nll")  # scores whose differences are no points
TIER_LABELS = {ANSWER: "answers", TOP3: "names three", ABSTAIN: "does not answer"}
ABSENT = "–"
FORMULA = ("=", "@", "+", "-", "\t", "\r", "\n", "＝", "＠", "＋", "－")  # the wide ones, too, which some spreadsheets take for them


def score(value: float | None, digits: int = 3) -> str:
    return ABSENT if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    return ABSENT if value is None or not math.isfinite(value) else f"{100 * value:.{digits}f} %"


def points(value: float | None, digits: int = 1) -> str:
    """A difference in hundredths, with its sign; an exact zero has none."""
    if value is None or not math.isfinite(value):
        return ABSENT
    text = f"{100 * value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def in_points(size: float) -> str:
    """A size in hundredths: `1 point`, `1.5 points`."""
    number = f"{100 * size:.1f}".removesuffix(".0") if size >= 0.001 else f"{100 * size:.1g}"
    return f"{number} point{'' if number == '1' else 's'}"


def bounds(value: Sequence[float] | None, digits: int = 3) -> str:
    return ABSENT if value is None else f"{value[0]:.{digits}f} to {value[1]:.{digits}f}"


def points_bounds(value: Sequence[float] | None) -> str:
    return "" if value is None else f"[{points(value[0])}, {points(value[1])}]"


def change(value: float, name: str) -> str:
    """A difference in the score `name`: in points where it is a share, else as it is."""
    return points(value / 100, 3) if name in NO_SHARES else points(value)


def change_bounds(value: Sequence[float] | None, name: str) -> str:
    return "" if value is None else f"[{change(value[0], name)}, {change(value[1], name)}]"


def count(value: float | None) -> str:
    return ABSENT if value is None else f"{value:,.0f}"


def no_formula(cell: str) -> str:
    """A cell of a CSV that no spreadsheet runs: with an apostrophe before it where it begins as a formula does and is no number."""
    return f"'{cell}" if cell.startswith(FORMULA) and not re.fullmatch(r"[+-]?\d+(\.\d+)?", cell) else cell


def prose(text: str) -> Markup:
    """Escaped, with `words` in backticks set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def share(part: float, whole: float) -> str:
    return percent(part / whole) if whole else ABSENT


def plain(text: object) -> str:
    """Text that Markdown shows as written: a name of a class, an experiment or a param formats nothing, and links and pings nobody."""
    text = "".join(letter for letter in str(text).replace("\n", " ") if unicodedata.category(letter) != "Cc")
    text = re.sub(r"[\\`*~$]|(?<!\w)_|_(?!\w)|\](?=[(\[])|^\[(?![−+]?\d)", r"\\\g<0>", text)
    return _without_links(re.sub(r"&(?=#?\w+;)", "&amp;", text).replace("<", "&lt;"))


def sentence(text: str) -> str:
    """As `plain`, but that `words` in backticks are code, and that no first sign makes it a heading, a list or a quotation."""
    parts = re.split(r"(?<!`)(`[^`]+`)(?!`)", text)
    whole = "".join(part if position % 2 else plain(part) for position, part in enumerate(parts))
    return re.sub(r"^(\s*)(>|[#+=-]+(?=\s|$))|^(\s*\d+)([.)](?=\s))", lambda m: f"{m[1] or m[3] or ''}\\{m[2] or m[4]}", whole)


def in_tag(text: str) -> Markup:
    """For what stands within HTML in Markdown, which knows no backslash."""
    return Markup(_without_links(str(escape(text))))


def _without_links(text: str) -> str:
    return re.sub(r"@(?=\w)|#(?=\d)|:(?=//|[\w+-]+:)|\bwww\.(?=\S)|\b[Gg][Hh]-(?=\d)", r"\g<0>&#8203;", text)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[Any]], left: int = 1) -> Markup:
    """A Markdown table padded to aligned columns, its cells as they are written; the first `left` columns are text, the others numbers."""
    cells = [[plain(cell).replace("|", "\\|") for cell in row] for row in [header, *rows]]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(header))]
    pad = [str.ljust if i < left else str.rjust for i in range(len(header))]
    rule = ["-" * width if i < left else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    lines = [[fit(cell, width) for fit, cell, width in zip(pad, row, widths, strict=True)] for row in cells]
    return Markup("\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]]))


def _finalized(value: object) -> object:
    return sentence(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment(html: bool, room: str) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name, "templates") for name in (room, "dermlab.report")]),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=None if html else _finalized,
    )
    environment.filters |= {
        "score": score, "percent": percent, "points": points, "bounds": bounds, "points_bounds": points_bounds, "count": count,
        "change": change, "change_bounds": change_bounds,
        "prose": prose, "in_tag": in_tag, "as_is": Markup,
    }  # fmt: skip
    environment.globals |= {
        "table": markdown_table, "share": share, "score_labels": SCORE_LABELS, "score_meanings": SCORE_MEANINGS,
        "min_patients": MIN_PATIENTS, "absent": ABSENT, "confusion_figure": figures.confusion,
        "calibration_figure": figures.calibration, "interval_figure": figures.interval, "difference_figure": figures.difference,
        "balance_figure": figures.balance, "coverage_figure": figures.coverage, "tier_labels": TIER_LABELS,
        "precision_recall_figure": figures.precision_recall, "no_shares": NO_SHARES,
        "decision_figure": figures.decision, "glance_figure": figures.glance, "epochs_figure": figures.epochs,
    }  # fmt: skip
    return environment


def render(template: str, room: str = "dermlab.report", **values: Any) -> str:
    """The template of `room` filled in, which may build on this room's; values are escaped in `.html.j2`, and a missing one is an error.
    Pages are self-contained: inline style and figures, thumbnails as data URIs, nothing fetched from outside."""
    return _environment(template.endswith(".html.j2"), room).get_template(template).render(**values)
