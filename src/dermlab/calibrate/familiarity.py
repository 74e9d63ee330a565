"""Which photos are like those of validation (scores/familiarity.py)."""

import numpy as np

from dermlab.scores.familiarity import Familiarity, nearest, unit

MOST = 2_000  # reference photos kept
LEAST = 30  # validation photos, for a share of them to mean anything


def choose_familiarity(features: np.ndarray, patients: np.ndarray, refused: float, seed: int) -> Familiarity:
    """From the validation photos: `features` float [N, D], `patients` [N]; `refused`: the share of them that would be refused. Neighbours
    of the threshold are of other patients, for nobody who sends a new photo is among the reference."""
    kept = np.sort(np.random.default_rng(seed).permutation(len(features))[:MOST])
    rows, people = unit(features[kept]).astype(np.float16), patients[kept]
    if len(rows) < LEAST:
        return Familiarity()
    similarity = rows.astype(np.float32) @ rows.astype(np.float32).T
    similarity[people[:, None] == people[None, :]] = -1.0
    return Familiarity(rows, float(np.quantile(nearest(similarity), refused)))
