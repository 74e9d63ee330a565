"""Copies of one photo: the same bytes, or nearly the same perceptual hash and nearly the same features.

Looked for over all splits, since a training photo that is also a test photo is a leak.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dermlab.data.classes import OTHER
from dermlab.data.tables import SPLITS
from dermlab.flag.neighbours import similarity_of_pairs
from dermlab.run.errors import ContractError

HASH_BITS = 64
# Cosine distance of the features of copies, in median distances of two photos drawn at random (0.565 for lite0 on the phantom), so that
# the rule holds for a backbone whose features all point one way. For lite0 these are cosines of 0.85 and 0.93: recompressed copies on
# the phantom have 0.83 to 1, other photos of near hash 0.45. On HAM10000 the pairs of two lesions at 0.85 and more bear one label in 94
# of 100, those at 0.93 and more always: where labels differ, more is asked for. Of two training photos only: a label of val or test is
# not looked at, and a training photo too many left out costs less than a test photo trained on.
MAX_DISTANCE, MAX_DISTANCE_IF_LABELS_DIFFER = 0.27, 0.12
RANDOM_PAIRS = 20_000
PAIRS_AT_ONCE = 4_000_000
PAIRS_NAMED = 50  # in an error
NO_PAIRS = np.zeros((0, 2), dtype=np.int64)


def find_copies(catalog: pd.DataFrame, features: np.ndarray, not_copies: pd.DataFrame, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """`groups_of_copies` of the catalog's rows. features: float [N, D]; not_copies: as `read_not_copies`."""
    row = pd.Series(np.arange(len(catalog)), index=catalog["image_id"].to_numpy())
    apart = not_copies[["image_id", "other_id"]].apply(lambda ids: ids.map(row)).dropna().to_numpy(dtype=np.int64)
    columns = (catalog[name].to_numpy() for name in ("sha256", "phash"))
    return groups_of_copies(*columns, features, known_labels(catalog), bits, apart)


def known_labels(catalog: pd.DataFrame) -> np.ndarray:
    """object [N]: the labels of the training rows, None for those of val and test, which decide nothing about what is trained on."""
    return np.where(catalog["split"] == "train", catalog["label"], None)


def groups_of_copies(
    sha256: np.ndarray, phash: np.ndarray, features: np.ndarray, labels: np.ndarray, bits: int, apart: np.ndarray = NO_PAIRS
) -> tuple[np.ndarray, np.ndarray]:
    """(group int64 [N], near pairs int64 [P, 2]). Rows of one group are copies of one photo; a photo without copies is alone.

    sha256: str [N]; phash: uint64 [N]; features: float [N, D]; labels: [N], as `known_labels`; bits: the most bits in which the hashes of
    copies differ. Exact copies need no confirmation, near ones a cosine distance of at most MAX_DISTANCE medians of random pairs, or the
    smaller one where two labels are known and differ. apart: int64 [M, 2],
    rows that a person told apart; what was said of a photo holds for the same bytes under another name.
    """
    _, same = np.unique(sha256.astype(str), return_inverse=True)
    pairs = near_pairs(phash, bits)
    pairs = pairs[same[pairs[:, 0]] != same[pairs[:, 1]]]
    pairs = pairs[~np.isin(_codes(same[pairs], len(same)), _codes(same[apart], len(same)))]
    allowed = np.where(differ(labels, pairs), MAX_DISTANCE_IF_LABELS_DIFFER, MAX_DISTANCE)
    pairs = pairs[1 - similarity_of_pairs(features, pairs[:, 0], pairs[:, 1]) <= allowed * _usual_distance(features)]
    nodes = int(same.max(initial=-1)) + 1
    links = coo_array((np.ones(len(pairs)), (same[pairs[:, 0]], same[pairs[:, 1]])), shape=(nodes, nodes))
    _, component = connected_components(links, directed=False)
    return component[same].astype(np.int64), pairs


def differ(labels: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """bool [P]: both labels of a pair [P, 2] are known, and they are not one. labels: [N], as `known_labels`."""
    first, second = labels[pairs[:, 0]], labels[pairs[:, 1]]
    return pd.notna(first) & pd.notna(second) & (first != second)


def _codes(pairs: np.ndarray, below: int) -> np.ndarray:
    """int64 [P]: equal where two pairs [P, 2] of numbers under `below` hold the same two, in either order."""
    return pairs.min(axis=1) * below + pairs.max(axis=1)


def _usual_distance(features: np.ndarray) -> float:
    """Median cosine distance of two rows drawn at random."""
    first, second = np.random.default_rng(0).integers(len(features), size=(2, RANDOM_PAIRS))
    apart = first != second
    return float(np.median(1 - similarity_of_pairs(features, first[apart], second[apart]))) if apart.any() else 0.0


def near_pairs(phash: np.ndarray, bits: int) -> np.ndarray:
    """int64 [P, 2], sorted: the pairs i < j whose 64-bit hashes differ in at most `bits` bits. Exact, without N x N.

    Pigeonhole: of bits // 2 + 1 bands at least one differs in at most one bit, so it is enough to join each band with itself and
    with itself after one bit is flipped, and to count bits among those that meet.
    """
    phash = phash.astype(np.uint64)
    bands = bits // 2 + 1
    edges = np.linspace(0, HASH_BITS, bands + 1).astype(int)
    found = [np.zeros(0, dtype=np.int64)]
    for low, high in itertools.pairwise(edges):
        key = phash >> np.uint64(low)
        if high - low < HASH_BITS:
            key = key & np.uint64((1 << int(high - low)) - 1)
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        flips = [0] if bits == 0 else [0, *(1 << bit for bit in range(high - low))]
        for flip in flips:
            other = key ^ np.uint64(flip)
            asking = np.flatnonzero(other >= key)  # of a flipped pair, one side is enough
            starts = np.searchsorted(ordered, other[asking], "left")
            counts = np.searchsorted(ordered, other[asking], "right") - starts
            for first, position in _expand(asking, starts, counts):
                second = order[position]
                close = np.bitwise_count(phash[first] ^ phash[second]) <= bits
                close &= first < second if flip == 0 else first != second
                first, second = first[close], second[close]
                found.append(np.minimum(first, second) * len(phash) + np.maximum(first, second))
    return np.stack(np.divmod(np.unique(np.concatenate(found)), max(len(phash), 1)), axis=1)


def _expand(rows: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields (row repeated, position) for every position in starts[i]..starts[i]+counts[i], a few million at a time."""
    meets = np.flatnonzero(counts)
    rows, starts, counts = rows[meets], starts[meets], counts[meets]
    ends = np.cumsum(counts)
    first = 0
    while first < len(rows):
        done = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + PAIRS_AT_ONCE, "right")))
        part = slice(first, last)
        within = np.arange(counts[part].sum()) - np.repeat(ends[part] - counts[part] - done, counts[part])
        yield np.repeat(rows[part], counts[part]), np.repeat(starts[part], counts[part]) + within
        first = last


def copies(catalog: pd.DataFrame, group: np.ndarray) -> pd.DataFrame:
    """For each row of the catalog, in its order. group: int [N].

    `duplicate_of`: the first image_id of its group, None for that one itself. `leak`: a training row whose group reaches into
    val or test; `leaks_to`: the first image_id there, else None. `conflict`: a training row whose group's training rows bear
    different labels; `other_label`: the first of these that is not its own, else None.
    """
    ids, train = catalog["image_id"].to_numpy(dtype=object), (catalog["split"] == "train").to_numpy()
    first = pd.Series(ids).groupby(group).transform("min").to_numpy()
    of_val_or_test = pd.Series(np.where(train, None, ids)).groupby(group).transform("first").to_numpy()
    labels = pd.Series(known_labels(catalog)).groupby(group).transform("nunique").to_numpy()
    leak = train & pd.notna(of_val_or_test)
    conflict = train & (labels > 1)
    other_label = np.full(len(ids), None, dtype=object)
    for _, rows in catalog[conflict].groupby(group[conflict]):
        for row, own in rows["label"].items():
            other_label[catalog.index.get_loc(row)] = rows.loc[rows["label"] != own, "label"].iat[0]
    return pd.DataFrame(
        {
            "image_id": ids,
            "duplicate_of": np.where(first == ids, None, first),
            "leak": leak,
            "leaks_to": np.where(leak, of_val_or_test, None),
            "conflict": conflict,
            "other_label": other_label,
        }
    )


def shared_between_splits(catalog: pd.DataFrame, group: np.ndarray) -> dict[str, int]:
    """`train-val`, `train-test`, `val-test`: photos that have a copy in both splits. group: int [N], of `groups_of_copies`."""
    splits = pd.Series(catalog["split"].to_numpy()).groupby(group).agg(set)
    return {f"{a}-{b}": int(splits.map(lambda found, both={a, b}: both <= found).sum()) for a, b in itertools.combinations(SPLITS, 2)}


def conflicts(catalog: pd.DataFrame, group: np.ndarray) -> list[dict[str, list[str]]]:
    """The photos of val and test whose copies there bear different labels, as `splits`, `labels` and `images` (ids) of each: told, and
    never changed. group: int [N], of `groups_of_copies`."""
    asked = catalog.assign(group=group)[((catalog["split"] != "train") & (catalog["label"] != OTHER)).to_numpy()]  # `other` is not scored
    several = asked.groupby("group")["label"].transform("nunique") > 1
    return [
        {"splits": rows["split"].tolist(), "labels": rows["label"].tolist(), "images": rows["image_id"].tolist()}
        for _, rows in asked[several].groupby("group")
    ]


def check_leaks(copied: pd.DataFrame, rows: int, max_leak: float) -> None:
    """copied: what `copies` gave. Raises ContractError naming the pairs where more than the share `max_leak` of the `rows` training
    rows are copies of val or test photos."""
    leaks = copied[copied["leak"]]
    if len(leaks) <= max_leak * rows:
        return
    pairs = "; ".join(f"{row.image_id} = {row.leaks_to}" for row in leaks.head(PAIRS_NAMED).itertuples())
    more = f"; and {len(leaks) - PAIRS_NAMED} more" if len(leaks) > PAIRS_NAMED else ""
    raise ContractError(
        f"{len(leaks)} of {rows} training images ({len(leaks) / rows:.2%}) are copies of val or test images, more than flag.max_leak = "
        f"{max_leak:.2%}: {pairs}{more}. A model would be tested on what it was trained on. `dermlab pairs` shows them side by side and "
        "keeps apart those that are no copies. Give real copies one patient_id at the source and lock it again, or allow them "
        "(-S flag.max_leak=...): leaked training rows are then left out of every manifest."
    )
