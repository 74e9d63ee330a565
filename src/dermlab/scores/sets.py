"""Prediction sets: the classes among which a photo's is, with a stated chance. N rows, K target classes and `other` as the last of K+1.

A class is in the set where the classes that are likelier have together at most a mass that was chosen for it: an adaptive set (Romano,
Sesia & Candes 2020, without their coin; RAPS, Angelopoulos et al. 2021, differs by a penalty on large sets). It grows with the doubt of the
model, and always holds the likeliest class.
"""

from dataclasses import dataclass

import numpy as np

OWN, CLUSTER, SHARED, ALL = "own", "cluster", "shared", "all"


@dataclass(frozen=True)
class Sets:
    coverage: float = 0.9  # chance that the set holds the right class, of a photo of a new patient like those of validation
    thresholds: tuple[float, ...] = ()  # of each of the K+1 classes: the mass of likelier ones up to which it is in the set
    # Whose validation patients chose it: the class's `own`, those of its `cluster`, those of the classes of its third that have few
    # (`shared`), or of `all` classes, where even those were too few
    chosen_by: tuple[str, ...] = ()

    def of(self, probs: np.ndarray) -> np.ndarray:
        """bool [N, K+1]. probs: float [N, K+1], calibrated."""
        return mass_before(probs) <= np.asarray(self.thresholds) + 1e-9

    def names(self, probs: np.ndarray, names: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Of each row the classes of its set, the likeliest first. `names`: of the K+1 classes."""
        order = np.argsort(-probs, axis=1, kind="stable")
        return [tuple(names[c] for c in at if inside[c]) for at, inside in zip(order, self.of(probs), strict=True)]


def mass_before(probs: np.ndarray) -> np.ndarray:
    """float [N, K+1]: of each class the probability of all that rank before it; 0 of the likeliest. Of equal ones the class named first
    ranks first."""
    order = np.argsort(-probs, axis=1, kind="stable")
    ranked = np.take_along_axis(probs, order, axis=1).astype(np.float64)
    before = np.empty_like(ranked)
    np.put_along_axis(before, order, np.cumsum(ranked, axis=1) - ranked, axis=1)
    return before
