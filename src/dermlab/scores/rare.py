"""Which classes are rare, and which is the commonest: by the catalog's training rows, so that every variant means the same ones."""

import numpy as np


def rows_per_class(labels: np.ndarray, classes: int) -> np.ndarray:
    """int [K]: rows of each of the K target classes. labels: int [N], 0..K; rows of `other`, label K, are not counted."""
    return np.bincount(labels, minlength=classes + 1)[:classes]


def rarest_third(train_rows: np.ndarray) -> np.ndarray:
    """int: the K // 3 (at least one) classes with the fewest training rows, int [K], the rarest first; ties in label order."""
    return np.argsort(train_rows, kind="stable")[: max(1, len(train_rows) // 3)]


def commonest(train_rows: np.ndarray) -> int:
    """The class with the most training rows, int [K]: the sink, for it is the one that soaks up errors. Ties in label order."""
    return int(np.argmax(train_rows))
