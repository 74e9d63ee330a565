"""Right, predicted and true rows of each class, and the scores that follow from them.

N rows of target classes, K target classes. Every score takes counts [..., K], with any leading axes: none for a whole split, one for
patients, one for resamples. Each equals scikit-learn's of the same name, over the classes that have rows.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Counts:
    # `hit`, `predicted`, `true`: [..., K] rows of the class that are right, that are predicted as it, that are of it
    hit: np.ndarray
    predicted: np.ndarray
    true: np.ndarray

    @cached_property
    def rows(self) -> np.ndarray:
        """[...]: all rows."""
        return self.true.sum(-1)

    def total(self) -> Self:
        """The sum over the first axis: of counts by patient, those of the whole split."""
        return type(self)(*(getattr(self, part.name).sum(0) for part in fields(self)))

    def weighted(self, weights: np.ndarray) -> Self:
        """weights [R, P], of counts by patient [P, ...]: the counts of each resample [R, ...]."""
        return type(self)(*(weights @ getattr(self, part.name) for part in fields(self)))


def count(labels: np.ndarray, predicted: np.ndarray, classes: int, group: np.ndarray | None = None) -> Counts:
    """labels, predicted: int [N], 0..K-1. By group [G, K] where `group`, int [N] in 0..G-1, is given; else of all rows, [K]."""
    if group is None:
        return count(labels, predicted, classes, np.zeros(len(labels), dtype=np.int64)).total()
    ones = np.ones(len(labels))
    return Counts(
        hit=sum_by(group, labels, labels == predicted, classes),
        predicted=sum_by(group, predicted, ones, classes),
        true=sum_by(group, labels, ones, classes),
    )


def sum_by(group: np.ndarray, column: np.ndarray, amount: np.ndarray, columns: int) -> np.ndarray:
    """float [G, columns]: the sum of `amount` [N] in each cell. group: int [N] in 0..G-1; column: int [N] in 0..columns-1."""
    groups = int(group.max(initial=0)) + 1
    return np.bincount(group * columns + column, amount, groups * columns).reshape(groups, columns)


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """int [K, K]: rows are true classes, columns predicted ones; a row of which either is none of them is left out. labels, predicted: int
    [N]."""
    kept = (labels < classes) & (predicted < classes)
    return np.bincount(labels[kept] * classes + predicted[kept], minlength=classes**2).reshape(classes, classes)


def top1(counts: Counts) -> np.ndarray:
    """[...]: the share of rows that are right; 0 without rows."""
    return ratio(counts.hit.sum(-1), counts.rows)


def precision(counts: Counts) -> np.ndarray:
    """[..., K]: of the rows predicted as the class, the share that is of it; 0 where none is predicted."""
    return ratio(counts.hit, counts.predicted)


def recall(counts: Counts) -> np.ndarray:
    """[..., K]: of the rows of the class, the share that is predicted as it; NaN where the class has no row."""
    return np.where(counts.true > 0, ratio(counts.hit, counts.true), np.nan)


def f1(counts: Counts) -> np.ndarray:
    """[..., K]: 2 hit / (predicted + true), the harmonic mean of precision and recall; NaN where the class has no row."""
    return np.where(counts.true > 0, ratio(2 * counts.hit, counts.predicted + counts.true), np.nan)


def macro_f1(counts: Counts) -> np.ndarray:
    """[...]: the mean F1 of the classes that have rows, each counting the same. A class without rows is in no mean: its F1 would be 0 as
    soon as one row is taken for it. The rows lost to it count against the classes whose rows they are."""
    return mean_of_present(f1(counts))


def balanced_accuracy(counts: Counts) -> np.ndarray:
    """[...]: the mean recall of the classes that have rows."""
    return mean_of_present(recall(counts))


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole of counts; 0 where the whole is 0."""
    return part / np.maximum(whole, 1)


def mean_of_present(scores: np.ndarray) -> np.ndarray:
    """[..., C] to [...]: the mean without NaN; NaN where nothing else is there."""
    present = np.isfinite(scores)
    n = present.sum(-1)
    return np.where(n > 0, ratio(np.where(present, scores, 0).sum(-1), n), np.nan)
