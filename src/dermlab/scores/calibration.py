"""Does a stated confidence of 0.8 mean right in 8 of 10 cases? (Guo et al. 2017)"""

import numpy as np

from dermlab.scores.counts import ratio


def confidence_bin(confidence: np.ndarray, bins: int) -> np.ndarray:
    """int [N], 0..bins-1: bins of equal width, (low, high] as in Guo et al.; the first holds 0 as well. confidence: [N] in 0..1."""
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def expected_calibration_error(gap: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """[...]: the mean |accuracy - confidence| of the bins, weighted by their rows (Guo et al., eq. 3).

    gap: [..., B], the sum over the bin's rows of right minus confidence, so that the rows of a bin cancel out; rows: [...], in all.
    """
    return ratio(np.abs(gap).sum(-1), rows)


def calibration_bins(labels: np.ndarray, probs: np.ndarray, bins: int) -> list[dict[str, float]]:
    """For every bin that holds rows: low, high, rows, mean confidence, accuracy.

    labels: int [N]; probs: float [N, K]. The confidence is the largest probability.
    """
    confidence, right = probs.max(axis=1), probs.argmax(axis=1) == labels
    which = confidence_bin(confidence, bins)
    return [
        {
            "low": b / bins,
            "high": (b + 1) / bins,
            "rows": int((which == b).sum()),
            "confidence": float(confidence[which == b].mean()),
            "accuracy": float(right[which == b].mean()),
        }
        for b in np.unique(which).tolist()
    ]
