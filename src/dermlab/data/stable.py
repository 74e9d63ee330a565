"""Orders that a newcomer does not upset: by a keyed hash of a name instead of by a draw over all names."""

import hashlib
from collections.abc import Sequence

import numpy as np


def keyed_hash(seed: int, what: str, name: str) -> int:
    """64 bits of BLAKE2b. `what` makes the orders of two purposes independent, though their seed is one."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, key=f"{seed} {what}".encode()).digest(), "big")


def ranked(names: Sequence[str], seed: int, what: str) -> list[str]:
    """The names in an order in which each one's place among the others depends on it alone."""
    return sorted(names, key=lambda name: (keyed_hash(seed, what, name), name))


def joined_groups(*columns: np.ndarray) -> np.ndarray:
    """int64 [N]: the connected components of rows that share a value in any of the columns, each [N]; None joins nothing."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = len(columns[0])
    row, node, nodes = [], [], rows
    for column in columns:
        values = np.asarray(column, dtype=object)
        there = np.flatnonzero([value is not None and value == value for value in values])
        _, code = np.unique(values[there].astype(str), return_inverse=True)
        row.append(there)
        node.append(code + nodes)
        nodes += int(code.max(initial=-1)) + 1
    edges = np.concatenate(row), np.concatenate(node)
    _, component = connected_components(coo_array((np.ones(len(edges[0])), edges), shape=(nodes, nodes)), directed=False)
    return component[:rows].astype(np.int64)
