"""Whom to ask what next: another opinion of a photo that was read, or a first one of another."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.review.opinions import encoded, probabilities_of_flags
from dermlab.review.posterior import posterior

SETTLED = 0.95  # how sure flags and readers are of a class, beyond which nobody more is asked


def next_to_ask(queue: Sequence[str], opinions: pd.DataFrame, flags: pd.DataFrame, classes: Classes) -> list[str]:
    """The image ids of `queue`, those first of which one more answer is worth most.

    What nobody named a class of keeps the order of the queue, which knows what an error costs. What was read stands by how sure flags and
    readers are of it together (`posterior`). As this can be said of both, the two lists are merged by it: the less sure goes first.
    opinions: of `opinions_of`, of these photos and of others, by which readers are weighed.
    """
    sure = certainty(opinions, flags, classes)
    again = sure[sure.index.isin(list(queue))].sort_values(kind="stable")
    first = [image for image in queue if image not in again.index]
    unread = probabilities_of_flags(flags, pd.Index(first), classes).max(axis=1)
    return _merged(first, unread, again.index.tolist(), again.to_numpy())


def certainty(opinions: pd.DataFrame, flags: pd.DataFrame, classes: Classes) -> pd.Series:
    """image_id -> how sure flags and readers together are of the likeliest class, of the photos of which somebody named one."""
    labels = encoded(opinions, classes)
    read = np.isfinite(labels).any(axis=1)
    images = opinions.index[read]
    return pd.Series(posterior(labels[read], probabilities_of_flags(flags, images, classes))[0].max(axis=1), index=images)


def _merged(first: list[str], scores: np.ndarray, second: list[str], others: np.ndarray) -> list[str]:
    """Two lists in their orders, at each step the head with the lower score."""
    order, one, two = [], 0, 0
    while one < len(first) or two < len(second):
        if two == len(second) or (one < len(first) and scores[one] <= others[two]):
            order.append(first[one])
            one += 1
        else:
            order.append(second[two])
            two += 1
    return order
