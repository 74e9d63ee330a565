"""What the answers are worth: the same model with every answer hidden, as it will meet a photo that comes alone."""

from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.evaluate.build import GIVEN_TWICE, predictions_table
from dermlab.scores.bootstrap import resample
from dermlab.scores.differences import difference
from dermlab.scores.headline import headline, patients_behind
from dermlab.scores.predictions import scored_rows, tally_by_patient

SEED = 17


def photo_alone(
    rows: pd.DataFrame, probs: np.ndarray, hidden: np.ndarray, classes: Classes, rare: np.ndarray, sink: int, bootstrap: int
) -> dict[str, dict[str, Any]]:
    """Score -> `with`, `without`, `difference` (without minus with) and its paired patient-clustered `interval`, None below the patients
    that one needs. rows: the test rows; `bootstrap`: resamples of patients; probs, hidden: float [N, K+1] with the answers and without."""
    tallies = [tally_by_patient(scored_rows(predictions_table(rows, table, classes))) for table in (probs, hidden)]
    draws = [headline(drawn, rare, sink) for drawn in resample(tallies, bootstrap, SEED)]
    points = [headline(tally.total(), rare, sink) for tally in tallies]
    patients = patients_behind(tallies[0], rare)
    found = {}
    for name in GIVEN_TWICE:
        gap = difference(name, points[0][name], points[1][name], draws[0][name], draws[1][name], patients[name])
        found[name] = {
            "with": gap.baseline,
            "without": gap.value,
            "difference": gap.delta,
            "interval": list(gap.bounds) if gap.bounds else None,
            "verdict": gap.verdict,
        }
    return found
