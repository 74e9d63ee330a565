"""When a model should answer: one diagnosis, three to choose from, or none. Thresholds on calibrated confidence, set on validation so that
the answers given reach a stated accuracy (selective classification; Geifman & El-Yaniv 2017, without their bound: how far the promise holds
is measured on the test split).

N rows, C classes, `other` among them: a model that meets a new photo does not know that it is of a target class.
"""

from dataclasses import dataclass

import numpy as np

from dermlab.scores.ranking import in_top

ANSWER, TOP3, ABSTAIN = "answer", "top-3", "abstain"


@dataclass(frozen=True)
class Tiers:
    """A threshold is None where none kept its promise on validation."""

    answer: float | None = None  # least confidence at which the likeliest class alone is given
    top3: float | None = None  # least probability of the three likeliest together at which those are
    answer_promise: float = 0.9  # share of right ones among the answers given
    top3_promise: float = 0.9  # share of lists of three that hold the right class

    def __str__(self) -> str:
        said = ((ANSWER, self.answer, self.answer_promise), (TOP3, self.top3, self.top3_promise))
        return ", ".join(f"{name} {'never' if least is None else f'from {least:.2f}'} ({kept:.0%} right)" for name, least, kept in said)

    def of(self, probs: np.ndarray) -> np.ndarray:
        """str [N]: the tier of each row of probs [N, C]."""
        first, three = confidences(probs)
        answered = first >= self.answer if self.answer is not None else np.zeros(len(probs), bool)
        listed = three >= self.top3 if self.top3 is not None else np.zeros(len(probs), bool)
        return np.where(answered, ANSWER, np.where(listed, TOP3, ABSTAIN))


def right_in_tier(labels: np.ndarray, probs: np.ndarray, tiers: np.ndarray) -> np.ndarray:
    """bool [N]: is what the tier gives right? Of an abstention, whether the likeliest class would have been."""
    return np.where(tiers == TOP3, in_top(labels, probs, 3), probs.argmax(axis=1) == labels)


def coverage_curve(labels: np.ndarray, probs: np.ndarray, points: int = 20) -> list[dict[str, float]]:
    """`coverage` and `accuracy` of answering the most confident rows alone, from a share of 1 / `points` to all."""
    order = np.argsort(-probs.max(axis=1), kind="stable")
    right = np.cumsum((probs.argmax(axis=1) == labels)[order])
    rows = np.unique(np.ceil(np.linspace(1 / points, 1, points) * len(labels)).astype(int))
    return [{"coverage": float(n / len(labels)), "accuracy": float(right[n - 1] / n)} for n in rows]


def confidences(probs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability of the likeliest class and of the three likeliest together, [N] each."""
    largest = np.sort(probs, axis=1)[:, ::-1]
    return largest[:, 0], largest[:, :3].sum(axis=1)
