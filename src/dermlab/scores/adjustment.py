"""Post-hoc logit adjustment (Menon et al. 2021, eq. 9): logit - tau log prior, after training and without any. It moves a classifier along
the curve from top-1 (tau 0) to balanced accuracy (about 1).

N rows, K target classes, and `other` as the last of K+1.
"""

import numpy as np

from dermlab.scores.counts import balanced_accuracy, count, top1
from dermlab.scores.ranking import over_targets

TAUS = tuple(round(0.1 * step, 1) for step in range(16))
AIM = "the mean of top-1 and balanced accuracy on validation"


def adjusted(probs: np.ndarray, prior: np.ndarray, tau: float, temperature: float) -> np.ndarray:
    """float64 [N, K+1], rows sum to 1: what softmax((logits - tau log prior) / temperature) is, of probs = softmax(logits / temperature).

    A tau of -t takes an adjustment by t back, but for probabilities that were rounded to 0.
    """
    if tau == 0:
        return probs.astype(np.float64)
    logs = np.log(np.maximum(probs.astype(np.float64), 1e-30)) - tau / temperature * np.log(prior)
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def two_aims(labels: np.ndarray, probs: np.ndarray) -> tuple[float, float]:
    """(top-1, balanced accuracy) over the rows of target classes, `other` left out of the ranking. labels: int [N], 0..K; probs: float
    [N, K+1]."""
    other = probs.shape[1] - 1
    of_target = labels < other
    counts = count(labels[of_target], over_targets(probs[of_target]).argmax(axis=1), other)
    return float(top1(counts)), float(balanced_accuracy(counts))
