"""Nearest neighbours among N embeddings, exactly and without ever holding N x N numbers; and how far off a row lies."""

import numpy as np
import torch

from dermlab.data.progress import progress
from dermlab.flag.arithmetic import device, multiplies_bfloat16

ROWS, COLUMNS = 2048, 16384  # of one block of similarities
SPARE = 6  # candidates beyond k that are compared again in float32, since bfloat16 has three digits


def nearest(features: np.ndarray, k: int, groups: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(rows int64 [N, k], cosine similarity float32 [N, k]) of every row's neighbours, nearest first.

    features: float [N, D]. groups: [N]; a row's neighbours come from other groups than its own (photos of one patient
    resemble each other and would hide that the patient is an odd one). Where fewer than k neighbours exist, the rest are
    row -1 with similarity -1.
    """
    unit = _unit(features)
    codes = np.arange(len(unit)) if groups is None else np.unique(groups, return_inverse=True)[1]
    fast = unit.bfloat16() if multiplies_bfloat16() else unit
    indices = np.full((len(unit), k), -1, dtype=np.int64)
    similarity = np.full((len(unit), k), -1, dtype=np.float32)
    members = _Members(codes)
    with progress("Neighbours", len(unit)) as meter:
        for start in range(0, len(unit), ROWS):
            rows = slice(start, min(start + ROWS, len(unit)))
            found, values = _nearest_of(rows, unit, fast, members, k)
            indices[rows, : found.shape[1]], similarity[rows, : found.shape[1]] = found.cpu().numpy(), values.cpu().numpy()
            meter.advance(len(found))
    return indices, similarity


class _Members:
    """Which rows are of one group. Pairs within groups are few where N x N is not: they are named, not looked for."""

    def __init__(self, codes: np.ndarray) -> None:
        self.codes, self.order = codes, np.argsort(codes, kind="stable")
        self.starts = np.searchsorted(codes[self.order], np.arange(codes.max(initial=-1) + 2))

    def of(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """int64 [P], [P]: for every row of `rows`, counted from its start, each row of its group, itself included."""
        code = self.codes[rows]
        sizes = self.starts[code + 1] - self.starts[code]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return np.repeat(np.arange(len(code)), sizes), self.order[np.repeat(self.starts[code], sizes) + within]


def _nearest_of(rows: slice, unit: torch.Tensor, fast: torch.Tensor, members: _Members, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Neighbours of one block of rows: candidates by the fast product, block of columns by block, then float32 among them."""
    own_rows, own_columns = members.of(rows)
    best = torch.empty(rows.stop - rows.start, 0, device=unit.device)
    where = torch.empty(rows.stop - rows.start, 0, dtype=torch.int64, device=unit.device)
    for start in range(0, len(unit), COLUMNS):
        stop = min(start + COLUMNS, len(unit))
        block = fast[rows] @ fast[start:stop].T
        inside = (own_columns >= start) & (own_columns < stop)
        block[torch.from_numpy(own_rows[inside]), torch.from_numpy(own_columns[inside] - start)] = -torch.inf
        values, positions = block.topk(min(k + SPARE, block.shape[1]), dim=1)
        best, where = torch.cat([best, values.float()], 1), torch.cat([where, positions + start], 1)
        best, kept = best.topk(min(k + SPARE, best.shape[1]), dim=1)
        where = where.gather(1, kept)
    exact = torch.bmm(unit[where], unit[rows][:, :, None])[:, :, 0].clamp(-1, 1).masked_fill(best == -torch.inf, -torch.inf)
    values, order = exact.topk(min(k, exact.shape[1]), dim=1)
    none = values == -torch.inf
    return where.gather(1, order).masked_fill(none, -1), values.masked_fill(none, -1.0)


def outlier_score(similarity: np.ndarray) -> np.ndarray:
    """float32 [N] in 0..1 from the similarities [N, k] of each row's neighbours; higher is odder.

    1 - 2^(-d / m), with d the mean cosine distance to the neighbours and m the median d: the usual row has 0.5, one twice as
    far off 0.75. A monotone map of d, and of cleanlab's 1 - exp(-t d / m) (Kuan & Mueller 2022) with t = ln 2.
    """
    distance = (1 - similarity.astype(np.float64)).mean(axis=1)
    return (1 - np.exp2(-distance / max(float(np.median(distance)), 1e-9))).astype(np.float32)


def votes(rows: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """float64 [N, classes], rows sum to 1: shares of the labels among each row's neighbours `rows` [N, k] (-1: none), with one
    vote more, shared by the classes as they occur: k neighbours know little of a rare class."""
    there = rows >= 0
    counts = np.zeros((len(rows), classes))
    np.add.at(counts, (np.nonzero(there)[0], labels[rows[there]]), 1)
    frequency = (np.bincount(labels, minlength=classes) + 0.5) / (len(labels) + 0.5 * classes)
    return (counts + frequency) / (there.sum(axis=1, keepdims=True) + 1)


def similarity_of_pairs(features: np.ndarray, first: np.ndarray, second: np.ndarray, block: int = 8192) -> np.ndarray:
    """Cosine similarity float32 [P] of the pairs of rows (first[i], second[i])."""
    out = np.empty(len(first), dtype=np.float32)
    for start in range(0, len(first), block):
        part = slice(start, start + block)
        a, b = _unit(features[first[part]]), _unit(features[second[part]])
        out[part] = (a * b).sum(1).cpu().numpy()
    return out


def _unit(features: np.ndarray) -> torch.Tensor:
    """float32 [N, D], rows of length 1."""
    return torch.nn.functional.normalize(torch.from_numpy(np.asarray(features, dtype=np.float32)).to(device()), dim=1)
