"""The headline scores. Each is a function of sums over rows, so that it is the same function for a whole split, for one patient and for
every resample of patients.

N rows of target classes, K target classes, B calibration bins. `other` is left out of the rows and of the ranking.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dermlab.scores.calibration import confidence_bin, expected_calibration_error
from dermlab.scores.counts import Counts, balanced_accuracy, count, macro_f1, mean_of_present, ratio, recall, sum_by, top1

HEADLINE = ("top1", "top3", "macro_f1", "balanced_accuracy", "rare_recall", "sink_ratio", "ece")


@dataclass(frozen=True)
class Tally(Counts):
    """`top3`: [...] rows whose class is among the three likeliest; `gap`: [..., B] right minus confidence, summed by bin."""

    top3: np.ndarray
    gap: np.ndarray


def tally(labels: np.ndarray, probs: np.ndarray, bins: int, group: np.ndarray | None = None) -> Tally:
    """labels: int [N], 0..K-1; probs: float [N, K], rows sum to 1; bins: B, of equal width. By group where `group`, int [N] in 0..G-1,
    is given (the patients, say), with a leading axis [G]; else of all rows."""
    if group is None:
        return tally(labels, probs, bins, np.zeros(len(labels), dtype=np.int64)).total()
    predicted, confidence = probs.argmax(axis=1), probs.max(axis=1)
    counts = count(labels, predicted, probs.shape[1], group)
    return Tally(
        hit=counts.hit,
        predicted=counts.predicted,
        true=counts.true,
        top3=sum_by(group, np.zeros_like(group), in_top(labels, probs, 3), 1)[:, 0],
        gap=sum_by(group, confidence_bin(confidence, bins), (predicted == labels) - confidence, bins),
    )


def headline(tally: Tally, rare: Sequence[int] | np.ndarray, sink: int) -> dict[str, np.ndarray]:
    """Score -> [...], in the order of HEADLINE; NaN where a score does not exist.

    `rare`: the rarest third of the classes; `sink`: the commonest one. `rare_recall` is the mean recall of those rare classes that have
    rows; `sink_ratio` how often the commonest class is predicted for each time it occurs.
    """
    scores = {
        "top1": top1(tally),
        "top3": ratio(tally.top3, tally.rows),
        "macro_f1": macro_f1(tally),
        "balanced_accuracy": balanced_accuracy(tally),
        "rare_recall": mean_of_present(recall(tally)[..., rare]),
        "sink_ratio": np.where(tally.true[..., sink] > 0, ratio(tally.predicted[..., sink], tally.true[..., sink]), np.nan),
        "ece": expected_calibration_error(tally.gap, tally.rows),
    }
    return {name: scores[name] for name in HEADLINE}


def patients_behind(by_patient: Tally, rare: Sequence[int] | np.ndarray) -> dict[str, int]:
    """Score -> the patients it rests on: all of them, but for rare recall those with a row of a rare class."""
    patients, with_rare = len(by_patient.rows), int((by_patient.true[:, rare].sum(-1) > 0).sum())
    return {name: with_rare if name == "rare_recall" else patients for name in HEADLINE}


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
