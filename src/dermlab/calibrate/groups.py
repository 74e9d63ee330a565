"""From which probability on a photo is called of a group of classes (scores/groups.py)."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from dermlab.scores.groups import Group

LEAST = 20  # validation patients of a group: of fewer, 95 % are all but none


def choose_groups(
    named: Mapping[str, Sequence[str]],
    names: Sequence[str],
    labels: np.ndarray,
    probs: np.ndarray,
    patients: np.ndarray,
    promise: float,
) -> tuple[Group, ...]:
    """named: group -> classes; `names`: of the K+1 outputs; labels: int [N], 0..K, of the validation rows; probs: float [N, K+1],
    calibrated; patients: [N]; `promise`: the sensitivity that is asked for."""
    found = []
    for name, classes in named.items():
        members = [names.index(each) for each in classes]
        own = np.isin(labels, members)
        found.append(Group(name, tuple(classes), promise, point(probs[own][:, members].sum(axis=1), patients[own], promise)))
    return tuple(found)


def point(scores: np.ndarray, patients: np.ndarray, promise: float) -> float | None:
    """The highest threshold at or above which at least `promise` of the scores lie. scores: float [M], of the rows of the group; patients:
    [M]. None with fewer than LEAST patients."""
    if len(np.unique(patients)) < LEAST:
        return None
    return float(np.sort(scores)[::-1][math.ceil(promise * len(scores) - 1e-9) - 1])
