"""A group of classes, such as malignant, and from which probability on a photo is called of it: where the calibrated probabilities of its
classes sum to at least a threshold that validation chose."""

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True)
class Group:
    """A group of classes and the point that validation chose for it."""

    name: str
    classes: tuple[str, ...]
    promise: float  # the sensitivity that the thresholds had on validation, at least
    threshold: float | None = None  # None with too few validation patients of the group
    case_threshold: float | None = None  # of a case's pooled probability; None, too, where each case is a photo

    def of_cases(self) -> Self:
        return replace(self, threshold=self.case_threshold)
