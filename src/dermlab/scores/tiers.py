"""When a model should answer: one diagnosis, three to choose from, or none. Thresholds on calibrated confidence, set on validation so that
the answers given reach a stated accuracy (selective classification; Geifman & El-Yaniv 2017, without their bound: how far the promise holds
is measured on the test split).

N rows, C classes, `other` among them: a model that meets a new photo does not know that it is of a target class.
"""

from dataclasses import dataclass

import numpy as np

from dermlab.scores.headline import in_top

ANSWER, TOP3, ABSTAIN = "answer", "top-3", "abstain"
PROMISES = {ANSWER: 0.9, TOP3: 0.9}  # share of right ones among what is given
LEAST = 30  # validation rows above a threshold, for its accuracy to mean anything


@dataclass(frozen=True)
class Tiers:
    """Least confidence at which the likeliest class alone is given, and least probability of the three likeliest together at which those
    are; None where no threshold kept the promise on validation."""

    answer: float | None
    top3: float | None

    def of(self, probs: np.ndarray) -> np.ndarray:
        """str [N]: the tier of each row of probs [N, C]."""
        first, three = _confidences(probs)
        answered = first >= self.answer if self.answer is not None else np.zeros(len(probs), bool)
        listed = three >= self.top3 if self.top3 is not None else np.zeros(len(probs), bool)
        return np.where(answered, ANSWER, np.where(listed, TOP3, ABSTAIN))


def choose_tiers(labels: np.ndarray, probs: np.ndarray) -> Tiers:
    """The lowest thresholds that keep PROMISES on these (validation) rows. labels: int [N], 0..C-1; probs: float [N, C], calibrated. The
    second is chosen among the rows that the first leaves."""
    first, three = _confidences(probs)
    answer = _threshold(first, probs.argmax(axis=1) == labels, PROMISES[ANSWER])
    left = np.ones(len(labels), bool) if answer is None else first < answer
    return Tiers(answer, _threshold(three[left], in_top(labels, probs, 3)[left], PROMISES[TOP3]))


def right_in_tier(labels: np.ndarray, probs: np.ndarray, tiers: np.ndarray) -> np.ndarray:
    """bool [N]: is what the tier gives right? Of an abstention, whether the likeliest class would have been."""
    return np.where(tiers == TOP3, in_top(labels, probs, 3), probs.argmax(axis=1) == labels)


def coverage_curve(labels: np.ndarray, probs: np.ndarray, points: int = 20) -> list[dict[str, float]]:
    """`coverage` and `accuracy` of answering the most confident rows alone, from a share of 1 / `points` to all."""
    order = np.argsort(-probs.max(axis=1), kind="stable")
    right = np.cumsum((probs.argmax(axis=1) == labels)[order])
    rows = np.unique(np.ceil(np.linspace(1 / points, 1, points) * len(labels)).astype(int))
    return [{"coverage": float(n / len(labels)), "accuracy": float(right[n - 1] / n)} for n in rows]


def _confidences(probs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability of the likeliest class and of the three likeliest together, [N] each."""
    largest = np.sort(probs, axis=1)[:, ::-1]
    return largest[:, 0], largest[:, :3].sum(axis=1)


def _threshold(confidence: np.ndarray, right: np.ndarray, promise: float) -> float | None:
    """The lowest confidence such that of the rows at or above it at least `promise` are right; never between equal ones."""
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    rows = np.arange(1, len(order) + 1)
    ends = np.append(ordered[1:] < ordered[:-1], True)  # the last of equal confidences
    kept = ends & (rows >= LEAST) & (np.cumsum(right[order]) >= promise * rows)
    return float(ordered[np.flatnonzero(kept)[-1]]) if kept.any() else None
