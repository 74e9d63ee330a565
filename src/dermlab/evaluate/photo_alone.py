"""What the answers are worth: the same model with every answer hidden, as it will meet a photo that comes alone."""

from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.evaluate.build import GIVEN_TWICE, predictions_table
from dermlab.scores.differences import patients_difference
from dermlab.scores.headline import Tally, headline, patients_behind
from dermlab.scores.influence import measure
from dermlab.scores.predictions import scored_rows, tally_by_patient


def photo_alone(
    rows: pd.DataFrame, probs: np.ndarray, hidden: np.ndarray, classes: Classes, rare: np.ndarray, sink: int
) -> dict[str, dict[str, Any]]:
    """Score -> `with`, `without`, `difference` (without minus with) and its `interval` over patients, None below the patients that one
    needs. rows: the test rows; probs, hidden: float [N, K+1] with the answers and without."""
    tallies = [tally_by_patient(scored_rows(predictions_table(rows, table, classes))) for table in (probs, hidden)]

    def scores(tally: Tally) -> np.ndarray:
        heads = headline(tally, rare, sink)
        return np.stack([heads[name] for name in GIVEN_TWICE], -1)

    behind = patients_behind(tallies[0], rare)
    given, alone = (measure(tally, scores) for tally in tallies)
    found = {}
    for name, gap in patients_difference(GIVEN_TWICE, given, alone, [behind[name] for name in GIVEN_TWICE]).items():
        found[name] = {
            "with": gap.baseline,
            "without": gap.value,
            "difference": gap.delta,
            "interval": list(gap.bounds) if gap.bounds else None,
            "verdict": gap.verdict,
        }
    return found
