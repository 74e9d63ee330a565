"""The headline scores. Each is a function of sums over rows, so that it is the same function for a whole split, for one patient and for
every resample of patients.

N rows of target classes, K target classes. `other` is left out of the rows and of the ranking.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dermlab.scores.counts import Counts, balanced_accuracy, count, macro_f1, mean_of_present, ratio, recall, sum_by, top1
from dermlab.scores.ranking import in_top

HEADLINE = ("top1", "top3", "macro_f1", "balanced_accuracy", "rare_recall", "sink_ratio", "brier", "nll")
LEAST_PROBABILITY = 1e-7  # of a class, in its logarithm: what float32 tells from 0 beside 1


@dataclass(frozen=True)
class Tally(Counts):
    """Sums over rows, [...] each."""

    top3: np.ndarray  # rows whose class is among the three likeliest
    squares: np.ndarray  # of the Brier score
    surprise: np.ndarray  # -log of the probability of the row's class


def tally(labels: np.ndarray, probs: np.ndarray, group: np.ndarray | None = None) -> Tally:
    """labels: int [N], 0..K-1; probs: float [N, K], rows sum to 1. By group where `group`, int [N] in 0..G-1, is given (the patients, say),
    with a leading axis [G]; else of all rows."""
    if group is None:
        return tally(labels, probs, np.zeros(len(labels), dtype=np.int64)).total()
    counts = count(labels, probs.argmax(axis=1), probs.shape[1], group)
    return Tally(
        hit=counts.hit,
        predicted=counts.predicted,
        true=counts.true,
        top3=_sum(group, in_top(labels, probs, 3)),
        squares=_sum(group, squared_errors(labels, probs)),
        surprise=_sum(group, -np.log(np.maximum(probs[np.arange(len(labels)), labels], LEAST_PROBABILITY))),
    )


def squared_errors(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """float [N], 0..2: the squared distance of each row from the class it is of, all in one (Brier 1950)."""
    own = probs[np.arange(len(labels)), labels]
    return np.square(probs).sum(axis=1) - 2 * own + 1


def _sum(group: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """[G]"""
    return sum_by(group, np.zeros_like(group), amount, 1)[:, 0]


def headline(tally: Tally, rare: Sequence[int] | np.ndarray, sink: int) -> dict[str, np.ndarray]:
    """Score -> [...], in the order of HEADLINE; NaN where a score does not exist.

    `rare`: the rarest third of the classes; `sink`: the commonest one. `rare_recall` is the mean recall of those rare classes that have
    rows; `sink_ratio` how often the commonest class is predicted for each time it occurs. `brier` and `nll` (mean negative log-likelihood)
    are proper scores: nothing but the true probabilities makes them smallest.
    """
    scores = {
        "top1": top1(tally),
        "top3": ratio(tally.top3, tally.rows),
        "macro_f1": macro_f1(tally),
        "balanced_accuracy": balanced_accuracy(tally),
        "rare_recall": mean_of_present(recall(tally)[..., rare]),
        "sink_ratio": np.where(tally.true[..., sink] > 0, ratio(tally.predicted[..., sink], tally.true[..., sink]), np.nan),
        "brier": ratio(tally.squares, tally.rows),
        "nll": ratio(tally.surprise, tally.rows),
    }
    return {name: scores[name] for name in HEADLINE}


def patients_behind(by_patient: Tally, rare: Sequence[int] | np.ndarray) -> dict[str, int]:
    """Score -> the patients it rests on: all of them, but for rare recall those with a row of a rare class."""
    patients, with_rare = len(by_patient.rows), int((by_patient.true[:, rare].sum(-1) > 0).sum())
    return {name: with_rare if name == "rare_recall" else patients for name in HEADLINE}
