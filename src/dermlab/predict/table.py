"""Predictions for a terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from dermlab.predict.predictor import Prediction
from dermlab.scores.familiarity import UNFAMILIAR
from dermlab.scores.tiers import ABSTAIN, ANSWER, TOP3

MEANT = {ANSWER: "answer", TOP3: "one of three", ABSTAIN: "do not answer", UNFAMILIAR: "do not answer: unlike what it was validated on"}


def as_table(predictions: Sequence[Prediction], below: Path) -> Table:
    """`below`: the folder whose name is left out."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("photo", "likeliest", "second", "third", "the model should"):
        table.add_column(name, overflow="fold")
    for prediction in predictions:
        photo = Path(prediction.photo)
        name = str(photo.relative_to(below)) if photo.is_relative_to(below) and photo != below else photo.name
        if prediction.error:
            table.add_row(name, f"not read: {prediction.error}", "", "", "")
            continue
        cells = [f"{label} {share:.0%}" for label, share in prediction.top3]
        table.add_row(name, *cells, *[""] * (3 - len(cells)), MEANT[prediction.tier])
    return table
