"""Which classes a row ranks first. N rows, K target classes, and `other` as the last of K+1."""

import numpy as np


def over_targets(probs: np.ndarray) -> np.ndarray:
    """float64 [N, K] from [N, K+1]: `other`, the last column, taken out of the ranking and the rest scaled to sum to 1."""
    targets = probs[:, :-1].astype(np.float64)
    total = targets.sum(axis=1, keepdims=True)
    return np.where(total > 0, targets / np.where(total > 0, total, 1), 1 / targets.shape[1])


def in_top(labels: np.ndarray, probs: np.ndarray, k: int) -> np.ndarray:
    """bool [N]: is the label among the k likeliest classes? Of equal ones the class named first ranks first."""
    own = probs[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(probs.shape[1]) < labels[:, None]
    return ((probs > own) | ((probs == own) & earlier)).sum(axis=1) < k
