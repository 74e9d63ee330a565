"""A label that is a distribution: what share of the opinions each name has. Of a row with one label it is None.

In memory it is a tuple of (name, share), the largest first and equal ones by name; in Parquet a map.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from dermlab.data.classes import Classes

Shares = tuple[tuple[str, float], ...]
ROUNDING = 1e-6


def shares_of(weights: Mapping[str, float]) -> Shares:
    """Of weights >= 0, not all 0. A name without weight is left out."""
    total = math.fsum(weights.values())
    given = ((name, weight / total) for name, weight in weights.items() if weight > 0)
    return tuple(sorted(given, key=lambda pair: (-round(pair[1], 9), pair[0])))  # 0.1 + 0.2 is 0.3 here


def several(shares: Shares | None) -> Shares | None:
    """None where it is one name's alone: then the label says it all."""
    return shares if shares and len(shares) > 1 else None


def renamed(shares: Shares | None, name_of: Callable[[str], str]) -> Shares | None:
    """The shares of names that become one add up."""
    if shares is None:
        return None
    sums: dict[str, float] = {}
    for name, share in shares:
        sums[name_of(name)] = sums.get(name_of(name), 0.0) + share
    return shares_of(sums)


def mixed(first: Shares, second: Shares, share: float) -> Shares:
    """`share` of the second, the rest of the first."""
    sums = {name: (1 - share) * part for name, part in first}
    for name, part in second:
        sums[name] = sums.get(name, 0.0) + share * part
    return shares_of(sums)


def mean_of(many: Sequence[Shares]) -> Shares:
    """Each counts the same."""
    sums: dict[str, float] = {}
    for shares in many:
        for name, part in shares:
            sums[name] = sums.get(name, 0.0) + part
    return shares_of(sums)


def beyond(label: str, shares: Shares) -> str | None:
    """The name of the largest share but the label's."""
    return next((name for name, _ in shares if name != label), None)


def whole(label: str) -> Shares:
    return ((label, 1.0),)


def matrix(labels: Sequence[str], shares: Iterable[Shares | None], classes: Classes, where: str = "a label column") -> np.ndarray:
    """float32 [N, K+1], rows sum to 1: one-hot where there are no shares. Raises ContractError naming a label that is no class."""
    encoded = classes.encode(labels, where)
    found = np.zeros((len(encoded), len(classes.names)), np.float32)
    found[np.arange(len(encoded)), encoded] = 1
    rows, names, parts = [], [], []
    for row, of_row in enumerate(shares):
        if of_row is not None:
            found[row] = 0
            rows += [row] * len(of_row)
            names += [name for name, _ in of_row]
            parts += [part for _, part in of_row]
    if rows:
        found[rows, classes.encode(names, where)] = parts
    return found
