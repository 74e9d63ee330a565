"""The thresholds of the tiers (scores/tiers.py)."""

import numpy as np

from dermlab.scores.ranking import in_top
from dermlab.scores.tiers import Tiers, confidences

LEAST = 30  # validation rows above a threshold, for its accuracy to mean anything


def choose_tiers(labels: np.ndarray, probs: np.ndarray, answer_promise: float, top3_promise: float) -> Tiers:
    """The lowest thresholds that keep the promises on these (validation) rows. labels: int [N], 0..C-1; probs: float [N, C], calibrated.
    The second is chosen among the rows that the first leaves."""
    first, three = confidences(probs)
    answer = _threshold(first, probs.argmax(axis=1) == labels, answer_promise)
    left = np.ones(len(labels), bool) if answer is None else first < answer
    top3 = _threshold(three[left], in_top(labels, probs, 3)[left], top3_promise)
    return Tiers(answer, top3, answer_promise, top3_promise)


def _threshold(confidence: np.ndarray, right: np.ndarray, promise: float) -> float | None:
    """The lowest confidence such that of the rows at or above it at least `promise` are right; never between equal ones."""
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    rows = np.arange(1, len(order) + 1)
    ends = np.append(ordered[1:] < ordered[:-1], True)  # the last of equal confidences
    kept = ends & (rows >= LEAST) & (np.cumsum(right[order]) >= promise * rows)
    return float(ordered[np.flatnonzero(kept)[-1]]) if kept.any() else None
