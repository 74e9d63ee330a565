"""Predictions for a terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from dermlab.predict.cases import CasePrediction
from dermlab.predict.predictor import Prediction
from dermlab.scores.familiarity import UNFAMILIAR
from dermlab.scores.tiers import ABSTAIN, ANSWER, TOP3

MEANT = {ANSWER: "answer", TOP3: "one of three", ABSTAIN: "do not answer", UNFAMILIAR: "do not answer: unlike what it was validated on"}


def as_table(predictions: Sequence[Prediction], below: Path) -> Table:
    """`below`: the folder whose name is left out."""
    table = _table("photo")
    for prediction in predictions:
        _add(table, _short(prediction.photo, below), prediction, MEANT)
    return table


def as_case_table(cases: Sequence[CasePrediction], below: Path) -> Table:
    """Each case, and its photos below it."""
    table = _table("case")
    for case in cases:
        _add(table, Text(case.case, style="bold"), case, MEANT)
        for photo in case.photos if len(case.photos) > 1 else ():
            says_other = dict.fromkeys(MEANT, "says otherwise" if photo.photo in case.disagree else "")
            _add(table, f"  {_short(photo.photo, below)}", photo, says_other)
    return table


def _table(first: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in (first, "likeliest", "second", "third", "the model should"):
        table.add_column(name, overflow="fold")
    return table


def _add(table: Table, name: str | Text, of: Prediction | CasePrediction, last: Mapping[str, str]) -> None:
    if of.error:
        table.add_row(name, f"not read: {of.error}", "", "", "")
        return
    cells = [f"{label} {share:.0%}" for label, share in of.top3]
    table.add_row(name, *cells, *[""] * (3 - len(cells)), last[of.tier])


def _short(photo: str, below: Path) -> str:
    path = Path(photo)
    return str(path.relative_to(below)) if path.is_relative_to(below) and path != below else path.name
