"""Scores, each equal to scikit-learn's of the same name where it has one.

N test rows of target classes, K target classes. labels: int [N] in 0..K-1; probs: float [N, K], rows sum to 1.
"""

from dataclasses import dataclass

import numpy as np


def over_targets(probs: np.ndarray) -> np.ndarray:
    """float64 [N, K] from [N, K+1]: `other`, the last column, taken out of the ranking and the rest scaled to sum to 1."""
    targets = probs[:, :-1].astype(np.float64)
    total = targets.sum(axis=1, keepdims=True)
    return np.where(total > 0, targets / np.where(total > 0, total, 1), 1 / targets.shape[1])


def top_k(labels: np.ndarray, probs: np.ndarray, k: int) -> float:
    """Share of rows whose label is among the k likeliest classes; of equal ones the class named first ranks first."""
    ranked = np.argsort(-probs, axis=1, kind="stable")[:, :k]
    return float((ranked == labels[:, None]).any(axis=1).mean())


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """int64 [K, K]: rows are true classes, columns predicted ones."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class PerClass:
    """Each [K]; 0 where a count to divide by is 0 (no row of the class, or none predicted), as zero_division=0 gives."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


def per_class(matrix: np.ndarray) -> PerClass:
    """matrix: the confusion matrix, int [K, K]."""
    hits, support, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return PerClass(_ratio(hits, predicted), _ratio(hits, support), _ratio(2 * hits, support + predicted), support)


def rarest_third(train_counts: np.ndarray) -> np.ndarray:
    """int64: the K // 3 (at least one) classes with the fewest training rows, int [K], rarest first; ties in label order."""
    return np.argsort(train_counts, kind="stable")[: max(1, len(train_counts) // 3)]


def auroc(positive: np.ndarray, score: np.ndarray) -> float:
    """Probability that a positive row scores above a negative one, ties counting half. positive: bool [N], of both kinds."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # the mean rank of equal scores, from 1
    n = int(positive.sum())
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), 0.0)
