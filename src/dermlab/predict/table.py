"""Predictions for a terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.table import Table
from rich.text import Text

from dermlab.predict.cases import CasePrediction
from dermlab.predict.predictor import Prediction
from dermlab.scores.familiarity import UNFAMILIAR
from dermlab.scores.tiers import ABSTAIN, ANSWER, TOP3

MEANT = {ANSWER: "answer", TOP3: "one of three", ABSTAIN: "do not answer", UNFAMILIAR: "do not answer: unlike what it was validated on"}


def as_table(predictions: Sequence[Prediction], below: Path, coverage: float | None = None) -> Table:
    """`below`: the folder whose name is left out; `coverage`: of the sets of candidates, None where there are none."""
    table = _table("photo", coverage)
    for prediction in predictions:
        _add(table, _short(prediction.photo, below), prediction, MEANT)
    return table


def as_case_table(cases: Sequence[CasePrediction], below: Path, coverage: float | None = None) -> Table:
    """Each case, and its photos below it."""
    table = _table("case", coverage)
    for case in cases:
        _add(table, Text(case.case, style="bold"), case, MEANT)
        for photo in case.photos if len(case.photos) > 1 else ():
            says_other = dict.fromkeys(MEANT, "says otherwise" if photo.photo in case.disagree else "")
            _add(table, f"  {_short(photo.photo, below)}", replace(photo, candidates=()), says_other)
    return table


def _table(first: str, coverage: float | None) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in (first, "likeliest", "second", "third", "the model should"):
        table.add_column(name, overflow="fold")
    if coverage is not None:
        table.add_column(f"{coverage:.0%}: one of", overflow="fold")
    return table


def _add(table: Table, name: str | Text, of: Prediction | CasePrediction, last: Mapping[str, str]) -> None:
    if of.error:
        table.add_row(name, f"not read: {of.error}")
        return
    cells = [f"{label} {share:.0%}" for label, share in of.top3]
    row = [name, *cells, *[""] * (3 - len(cells)), last[of.tier], ", ".join(of.candidates)]
    table.add_row(*row[: len(table.columns)])


def _short(photo: str, below: Path) -> str:
    path = Path(photo)
    return str(path.relative_to(below)) if path.is_relative_to(below) and path != below else path.name
