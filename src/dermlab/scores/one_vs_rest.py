"""Each class against all others: how well its probability tells it apart, at every threshold. N rows of target classes, K classes."""

import numpy as np


def one_vs_rest(labels: np.ndarray, probs: np.ndarray) -> list[dict[str, float]]:
    """One a class: `auroc`, `average_precision`, `prevalence` (what the latter is by chance), and `specificity`, the share of the other
    classes' rows that are not predicted as it; empty for a class without rows, or with all of them. labels: int [N], 0..K-1; probs: float
    [N, K]."""
    predicted, found = probs.argmax(axis=1), []
    for c in range(probs.shape[1]):
        own = labels == c
        if not own.any() or own.all():
            found.append({})
            continue
        found.append(
            {
                "auroc": auroc(own, probs[:, c]),
                "average_precision": average_precision(own, probs[:, c]),
                "prevalence": float(own.mean()),
                "specificity": float((predicted[~own] != c).mean()),
            }
        )
    return found


def auroc(own: np.ndarray, score: np.ndarray) -> float:
    """How often one of its own scores above one of the others, a tie counting half. own: bool [N], some and not all; score: float [N].

    As scikit-learn has it, whose import would take longer than the stage that asks."""
    _, at, ties = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(ties) - (ties - 1) / 2)[at]
    some = int(own.sum())
    return float((rank[own].sum() - some * (some + 1) / 2) / (some * (len(own) - some)))


def average_precision(own: np.ndarray, score: np.ndarray) -> float:
    """The precision at each threshold, weighted by the recall that it adds. own: bool [N], some of them; score: float [N]."""
    hit, taken = _above_each(own, score)
    return float((np.diff(hit, prepend=0) * hit / taken).sum() / hit[-1])


def precision_recall(own: np.ndarray, score: np.ndarray, points: int = 60) -> list[tuple[float, float]]:
    """(recall, precision) from the highest threshold to the lowest, at most `points`, the first (0, 1). own: bool [N], some of them; score:
    float [N]."""
    hit, taken = _above_each(own, score)
    line = [(0.0, 1.0), *zip((hit / hit[-1]).tolist(), (hit / taken).tolist(), strict=True)]
    kept = np.unique(np.linspace(0, len(line) - 1, points).round().astype(int))
    return [line[i] for i in kept]


def _above_each(own: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each threshold, the highest first: how many of its own rows lie at or above it, and how many rows."""
    values, at = np.unique(-score, return_inverse=True)
    hit, taken = (np.cumsum(np.bincount(at, amount, len(values))) for amount in (own, np.ones(len(own))))
    return hit, taken
