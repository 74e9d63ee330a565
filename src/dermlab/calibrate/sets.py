"""The thresholds of prediction sets (scores/sets.py): split conformal prediction, on the validation split, by patient.

Photos of a patient are alike and of two patients not, so each patient has the weight of one, shared by their photos, and a new patient is
one more (hierarchical conformal prediction: Lee, Barber & Willett 2023): then a photo drawn from a new patient is in its set with the
chance that is stated. A class has a threshold of its own where it has patients enough. Others share one: with classes of alike quantiles of
their masses (Ding et al. 2023, Class-conditional conformal prediction with many classes), or, where these cannot be told, with the others
of their third, for what is rare in training is hard. No library that we know of does this by patient: TorchCP clusters classes, of rows
that are independent, and MAPIE does neither.
"""

import numpy as np
from scipy.cluster.vq import kmeans2

from dermlab.scores.sets import ALL, CLUSTER, OWN, SHARED, Sets, mass_before

LEAST_OF_CLASS = 30  # validation patients, for a threshold of its own
QUANTILES = (0.5, 0.6, 0.7, 0.8, 0.9)  # of a class's masses, by which classes are clustered (Ding et al.)


def choose_sets(labels: np.ndarray, probs: np.ndarray, patients: np.ndarray, prior: np.ndarray, coverage: float, seed: int) -> Sets | None:
    """labels: int [N], 0..K, of the validation rows; probs: float [N, K+1], calibrated; patients: [N]; prior: [K+1], of the training rows.
    None where all patients together are too few for such a coverage."""
    masses = mass_before(probs)[np.arange(len(labels)), labels]
    classes = probs.shape[1]

    def chosen(rows: np.ndarray) -> float | None:
        return quantile_by_patient(masses[rows], patients[rows], coverage)

    of_all = chosen(np.ones(len(labels), bool))
    if of_all is None:
        return None
    counts = np.array([len(np.unique(patients[labels == c])) for c in range(classes)])
    thresholds, chosen_by = [of_all] * classes, [ALL] * classes

    def share(members: np.ndarray, how: str, rows: np.ndarray | bool = True) -> None:
        threshold = chosen(np.isin(labels, members) & rows)
        for c in members if threshold is not None else ():
            thresholds[c], chosen_by[c] = threshold, how

    for c in np.flatnonzero(counts >= LEAST_OF_CLASS):
        share(np.array([c]), OWN)
    few = np.flatnonzero(counts < LEAST_OF_CLASS)
    for members in pools(few, prior, labels, patients, least_patients(coverage)):
        share(members, SHARED)
    clustered, kept = clusters(labels, masses, patients, few[counts[few] >= least_patients(coverage)], seed)
    for members in clustered:
        share(members, CLUSTER, kept)
    return Sets(coverage, tuple(map(float, thresholds)), tuple(chosen_by))


def pools(few: np.ndarray, prior: np.ndarray, labels: np.ndarray, patients: np.ndarray, least: int) -> list[np.ndarray]:
    """Those of the classes `few` that are of the rarest third, the middle one, the commonest, and `other`, in pools of `least` patients or
    more: what has fewer joins the next, or at the end the last."""
    order = np.argsort(prior[:-1], kind="stable")
    third = max(1, len(order) // 3)
    found: list[np.ndarray] = []
    left = np.array([], dtype=np.int64)
    for part in (order[:third], order[third:-third], order[-third:], np.array([len(order)])):
        left = np.concatenate([left, part[np.isin(part, few)]])
        if len(np.unique(patients[np.isin(labels, left)])) >= least:
            found.append(left)
            left = left[:0]
    if len(left) and found:
        found[-1] = np.concatenate([found[-1], left])
    return found


def least_patients(coverage: float) -> int:
    """Fewer of them, and no threshold keeps the coverage but one that lets every class in."""
    return int(np.ceil(coverage / (1 - coverage) - 1e-9))


def quantile_by_patient(masses: np.ndarray, patients: np.ndarray, coverage: float) -> float | None:
    """The mass at or below which the patients, one more counted who lies above all, have `coverage` of their weight. masses: float [M];
    patients: [M]. None with fewer than `least_patients`.

    Between two masses it is interpolated: with 20 patients the upper one would keep 95 % or more where 90 are asked for, and sets of many
    classes that share thresholds in small pools would be too large. What is lost is at most the weight of one patient."""
    _, person, photos = np.unique(patients, return_inverse=True, return_counts=True)
    if len(photos) < least_patients(coverage):
        return None
    order = np.argsort(masses, kind="stable")
    weight = np.cumsum(1 / photos[person[order]]) / (len(photos) + 1)
    return float(np.interp(coverage, weight, masses[order]))


def clusters(
    labels: np.ndarray, masses: np.ndarray, patients: np.ndarray, among: np.ndarray, seed: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """(classes of each cluster, bool [N]: rows that may choose its threshold, for others chose the clusters). `among`: classes that have
    patients enough to be described; how many of these are spent on it, and the number of clusters, are Ding et al.'s. No cluster where
    there would be but one."""
    kept = np.ones(len(labels), bool)
    if not len(among):
        return [], kept
    smallest = min(len(np.unique(patients[labels == c])) for c in among)
    spent = int(smallest * len(among) / (75 + len(among)))
    count = spent // 2
    if count < 2:
        return [], kept
    people = np.unique(patients)
    kept = ~np.isin(patients, np.random.default_rng(seed).permutation(people)[: round(len(people) * spent / smallest)])
    described = [c for c in among if ((labels == c) & ~kept).any()]
    shapes = {c: np.quantile(masses[(labels == c) & ~kept], QUANTILES) for c in described}
    if len(shapes) <= count:
        return [], np.ones(len(labels), bool)
    weights = [max(1, round(((labels == c) & ~kept).sum() ** 0.5)) for c in described]
    _, found = kmeans2(np.repeat(list(shapes.values()), weights, axis=0), count, minit="++", seed=seed, missing="warn")
    first = np.cumsum([0, *weights[:-1]])
    return [np.array(described)[found[first] == k] for k in range(count) if (found[first] == k).any()], kept
