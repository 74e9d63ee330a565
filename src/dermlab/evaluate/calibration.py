"""Does a stated confidence of 0.8 mean right in 8 of 10 cases?"""

import numpy as np


def calibration_bins(labels: np.ndarray, probs: np.ndarray, bins: int) -> list[dict[str, float]]:
    """For every bin of equal width that holds rows: low, high, rows, mean confidence, accuracy.

    labels: int [N]; probs: float [N, K]. The confidence is the largest probability; bins are (low, high], as in Guo et al. 2017.
    """
    confidence, correct = probs.max(axis=1), probs.argmax(axis=1) == labels
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return [
        {
            "low": b / bins,
            "high": (b + 1) / bins,
            "rows": int((which == b).sum()),
            "confidence": float(confidence[which == b].mean()),
            "accuracy": float(correct[which == b].mean()),
        }
        for b in np.unique(which).tolist()
    ]


def expected_calibration_error(bins: list[dict[str, float]]) -> float:
    """Mean |accuracy - confidence| over the bins, weighted by their rows (Guo et al. 2017, eq. 3)."""
    rows = sum(b["rows"] for b in bins)
    return float(sum(b["rows"] / rows * abs(b["accuracy"] - b["confidence"]) for b in bins))
