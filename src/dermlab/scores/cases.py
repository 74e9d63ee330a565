"""Several photos of one case, one answer: how they are put together."""

from dataclasses import dataclass

import numpy as np

LOGMEAN, MEAN, MAX = POOLS = ("logmean", "mean", "max")
TINY = 1e-12  # a photo that rules a class out does so for certain, and no other could say a word


@dataclass(frozen=True)
class Pooling:
    how: str = LOGMEAN
    # how far n photos count as n: 1 where each says something of its own, 0 where they are copies and count as one
    independence: float = 0.0


def has_several(cases: np.ndarray) -> bool:
    """Whether any case has more than one photo. cases: names [N]."""
    return len(np.unique(cases)) < len(cases)


def pooled(probs: np.ndarray, cases: np.ndarray, pooling: Pooling) -> tuple[np.ndarray, np.ndarray]:
    """Each case's probabilities [M, C], of the kind of `probs`, rows sum to 1; and int [M], its first row. probs: float [N, C];
    cases: names [N]. Cases are sorted by name; one of a single photo has exactly the photo's answer. Without rows there are no cases.

    `logmean`: the mean of the n photos' log-probabilities, times n^independence, so that independent photos multiply (a product of
    experts, Hinton 2002) and copies of one photo say what one says. `mean`, `max`: of the probabilities.
    """
    _, first, case, count = np.unique(cases, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(case, kind="stable")
    rows, begins = probs[order].astype(np.float64), np.cumsum(count) - count
    if pooling.how == LOGMEAN:
        total = np.add.reduceat(np.log(np.maximum(rows, TINY)), begins)
        logits = total / count[:, None] * count[:, None] ** pooling.independence
        together = np.exp(logits - logits.max(axis=1, keepdims=True))
    else:
        together = (np.maximum if pooling.how == MAX else np.add).reduceat(rows, begins)
    together = (together / together.sum(axis=1, keepdims=True)).astype(probs.dtype)
    together[count == 1] = probs[first[count == 1]]
    return together, first


def of_one_label(labels: np.ndarray, cases: np.ndarray) -> np.ndarray:
    """bool [N]: the rows whose case has one label. Where a case's photos differ in theirs nobody can say which the case has."""
    case, label = (np.unique(names, return_inverse=True)[1] for names in (cases, labels))
    order = np.argsort(case, kind="stable")
    begins = np.flatnonzero(np.diff(case[order], prepend=-1))
    return (np.minimum.reduceat(label[order], begins) == np.maximum.reduceat(label[order], begins))[case]
