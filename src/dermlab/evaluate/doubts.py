"""Test labels that the model's own probabilities contradict. Such rows are never removed: scores are given with and without."""

import numpy as np


def doubted(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """bool [N]: confident learning (Northcutt et al. 2021) by cleanlab on the test probabilities.

    labels: int [N]; probs: float [N, K], rows sum to 1. Rows a model doubts are rows it gets wrong, so scores without them are
    an upper bound of what label errors can explain, not a better estimate.
    """
    from cleanlab.filter import find_label_issues

    present, given = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        return np.zeros(len(labels), dtype=bool)
    among = probs[:, present] + 1e-12
    return find_label_issues(given, among / among.sum(axis=1, keepdims=True), filter_by="confident_learning", n_jobs=1)
