"""Does a stated confidence of 0.8 mean right in 8 of 10 cases? (Guo et al. 2017)"""

import numpy as np


def confidence_bin(confidence: np.ndarray, bins: int) -> np.ndarray:
    """int [N], 0..bins-1: bins of equal width, (low, high] as in Guo et al.; the first holds 0 as well. confidence: [N] in 0..1."""
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


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


def expected_calibration_error(bins: list[dict[str, float]]) -> float:
    """The mean |accuracy - confidence| of the bins of `calibration_bins`, weighted by their rows (Guo et al., eq. 3); 0 without rows.

    It is biased upwards, the more so the better a model is calibrated: in each bin the rows that happen to be right differ from the
    confidence by chance, and no difference is negative. So it is shown, but no verdict rests on it; the proper scores of the headline do
    that (Gruber & Buettner 2022).
    """
    rows = sum(row["rows"] for row in bins)
    return sum(row["rows"] * abs(row["accuracy"] - row["confidence"]) for row in bins) / rows if rows else 0.0
