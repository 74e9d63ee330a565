"""The agreement of readers as one HTML page, readers as numbers."""

from pathlib import Path

from dermlab.review.agreement import Agreement, Estimate
from dermlab.review.conclude import Conclusion
from dermlab.review.html import render
from dermlab.review.params import ReviewParams
from dermlab.run.files import write_text


def write_agreement(path: Path, found: Agreement, conclusion: Conclusion, params: ReviewParams, set_aside: int) -> None:
    """Writes the page atomically. set_aside: lines of the record that say nothing of this catalog."""
    relabelled, confirmed, dropped = conclusion.counts()
    words = {
        "found": found, "rule": params.rule, "enough": params.readers, "relabelled": relabelled, "confirmed": confirmed,
        "dropped": dropped, "disputed": len(conclusion.disputed), "waiting": len(conclusion.waiting), "by_hand": conclusion.by_hand,
        "held_back": conclusion.held_back,
        "set_aside": set_aside, "number": number, "share": share,
    }  # fmt: skip
    write_text(path, render("agreement.html.j2", {}, (), ("agreement.css",), **words))


def number(found: Estimate) -> str:
    """`0.61 (0.48 to 0.73)`."""
    if found.value is None:
        return "–"
    return (
        f"{found.value:.2f} ({found.interval[0]:.2f} to {found.interval[1]:.2f})" if found.interval else f"{found.value:.2f} (no interval)"
    )


def share(found: Estimate) -> str:
    """`83 % (70 to 94)`, and of how many."""
    if found.value is None:
        return "–"
    between = f" ({100 * found.interval[0]:.0f} to {100 * found.interval[1]:.0f})" if found.interval else " (no interval)"
    return f"{100 * found.value:.0f} %{between} of {found.rows}"
