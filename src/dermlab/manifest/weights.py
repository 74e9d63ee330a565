"""How often a training row is drawn, by the frequency of its class."""

from collections.abc import Callable

import numpy as np

# n: rows of each class, all > 0 -> how often a row of that class is drawn, up to a factor. beta: of `effective` only.
WEIGHTS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "sqrt": lambda n, beta: 1 / np.sqrt(n),
    # Cui et al. 2019, eq. 5: the inverse of the effective number E_n = (1 - beta^n) / (1 - beta)
    "effective": lambda n, beta: (1 - beta) / (1 - beta**n),
    "balanced": lambda n, beta: 1 / n,
}


def row_weights(labels: np.ndarray, rebalance: str, beta: float) -> np.ndarray:
    """float64 [N], mean 1. labels: [N], any hashable; rebalance: a key of WEIGHTS."""
    if not len(labels):
        return np.ones(0)
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights = WEIGHTS[rebalance](counts.astype(np.float64), beta)[inverse]
    return weights / weights.mean()
