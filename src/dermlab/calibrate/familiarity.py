"""Which photos are like those of validation (scores/familiarity.py)."""

import numpy as np

from dermlab.scores.familiarity import NEAREST, Familiarity, nearest, unit

MOST = 2_000  # reference photos kept
LEAST = 30  # validation photos, for a share of them to mean anything


def choose_familiarity(features: np.ndarray, patients: np.ndarray, refused: float, seed: int) -> Familiarity:
    """From the validation photos: `features` float [N, D], `patients` [N]; `refused`: the share of them that would be refused. Neighbours
    of the threshold are of other patients, for nobody who sends a new photo is among the reference: as many as there are, up to NEAREST.
    Photos of a patient without others say nothing of it; where all are of one, everything is familiar."""
    kept = np.sort(np.random.default_rng(seed).permutation(len(features))[:MOST])
    rows, people = unit(features[kept]).astype(np.float16), patients[kept]
    if len(rows) < LEAST:
        return Familiarity()
    similarity = rows.astype(np.float32) @ rows.astype(np.float32).T
    own = people[:, None] == people[None, :]
    similarity[own] = -np.inf
    others = np.minimum((~own).sum(axis=1), NEAREST)
    # Where one patient has most photos there are fewer of others than NEAREST: none of its own may stand in for them.
    found = [nearest(similarity[others == count], count) for count in np.unique(others) if count]
    return Familiarity(rows, float(np.quantile(np.concatenate(found), refused))) if found else Familiarity()
