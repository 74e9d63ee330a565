"""Nearest neighbours among N embeddings without ever holding N x N numbers; and how far off a row lies."""

import numpy as np
import torch

from dermlab.model.runtime import main_device, multiplies_bfloat16
from dermlab.run.progress import progress

BLOCK = 4096  # rows and columns of one block of similarities
SPARE = 6  # candidates beyond k that are compared again in float32, since bfloat16 has three digits
# From so many numbers in the features candidates are looked for in so many principal directions, with so many to spare; where these hold so
# much of the squared length. At 0.86, as in `benchmarks/judge.py`, 0.996 of the neighbours are found; at 0.57 it were 0.80.
CONDENSED_FROM, DIRECTIONS, CONDENSED_SPARE, LEAST_HELD = 2**26, 384, 20, 0.85
SAMPLED = 8  # rows a feature, of which the directions are found
EXACT_AT_ONCE = 1024  # rows whose candidates are compared again


def nearest(features: np.ndarray, k: int, groups: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(rows int64 [N, k], cosine similarity float32 [N, k]) of every row's neighbours, nearest first.

    features: float [N, D]. groups: [N]; a row's neighbours come from other groups than its own (photos of one patient
    resemble each other and would hide that the patient is an odd one). Where fewer than k neighbours exist, the rest are
    row -1 with similarity -1.

    Exact below CONDENSED_FROM numbers. Above, candidates are looked for in the features' principal directions, where these hold most of
    what makes two rows similar, and then compared in full.
    """
    unit = _unit(features)
    directions = _principal_directions(unit) if unit.numel() >= CONDENSED_FROM and unit.shape[1] > DIRECTIONS else None
    codes = np.arange(len(unit)) if groups is None else np.unique(groups, return_inverse=True)[1]
    fast = unit if directions is None else unit @ directions
    fast = fast.bfloat16() if multiplies_bfloat16() else fast
    candidates = _Candidates(len(unit), k + (SPARE if directions is None else CONDENSED_SPARE), unit.device)
    members = _Members(codes)
    blocks = [slice(start, min(start + BLOCK, len(unit))) for start in range(0, len(unit), BLOCK)]
    with progress("Neighbours", len(blocks) * (len(blocks) + 1) // 2, "blocks") as meter:
        for number, rows in enumerate(blocks):
            for columns in blocks[number:]:  # similarity is symmetric: each product serves both its rows and its columns
                product = fast[rows] @ fast[columns].T
                product[members.pairs(rows, columns)] = -torch.inf
                candidates.add(rows, product, columns.start)
                if columns != rows:
                    candidates.add(columns, product.T, rows.start)
                meter.advance()
    indices = np.full((len(unit), k), -1, dtype=np.int64)
    similarity = np.full((len(unit), k), -1, dtype=np.float32)
    for start in range(0, len(unit), EXACT_AT_ONCE):
        rows = slice(start, start + EXACT_AT_ONCE)
        where, none = candidates.where[rows], candidates.values[rows] == -torch.inf
        exact = torch.bmm(unit[where], unit[rows][:, :, None])[:, :, 0].clamp(-1, 1).masked_fill(none, -torch.inf)
        values, order = exact.topk(k, dim=1)
        found = where.gather(1, order).masked_fill(values == -torch.inf, -1)
        indices[rows], similarity[rows] = found.cpu().numpy(), values.masked_fill(values == -torch.inf, -1.0).cpu().numpy()
    return indices, similarity


def _principal_directions(unit: torch.Tensor) -> torch.Tensor | None:
    """float32 [D, DIRECTIONS], orthonormal: of all such the ones that keep most of the squared length of the rows of `unit`, [N, D], by a
    sample of them; None where that is less than LEAST_HELD."""
    sample = unit[:: max(1, len(unit) // (SAMPLED * unit.shape[1]))]
    held, directions = torch.linalg.eigh(sample.T @ sample)
    return directions[:, -DIRECTIONS:].contiguous() if held[-DIRECTIONS:].sum() >= LEAST_HELD * held.sum() else None


class _Candidates:
    """The `count` most similar columns of each row so far. `values`: [N, count], descending; `where`: int64 [N, count]."""

    def __init__(self, rows: int, count: int, device: torch.device) -> None:
        self.values = torch.full((rows, count), -torch.inf, device=device)
        self.where = torch.zeros((rows, count), dtype=torch.int64, device=device)

    def add(self, rows: slice, product: torch.Tensor, first_column: int) -> None:
        """product: [R, C], similarities of `rows` to the columns from `first_column` on."""
        values, where = self._above(product, self.values[rows, -1:])
        if values.shape[1] == 0:
            return
        values, kept = torch.cat([self.values[rows], values], 1).topk(self.values.shape[1], dim=1)
        self.values[rows], self.where[rows] = values, torch.cat([self.where[rows], where + first_column], 1).gather(1, kept)

    def _above(self, product: torch.Tensor, least: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Values [R, M] and columns int64 [R, M] of what is more than `least` [R, 1]: much at first, hardly anything later on."""
        if (least == -torch.inf).any():
            values, where = product.topk(min(self.values.shape[1], product.shape[1]), dim=1)
            return values.float(), where
        least = least.to(product.dtype)  # exact: it once was an entry of a product
        if product.is_contiguous():
            row, column = (product > least).nonzero(as_tuple=True)
        else:  # a transposed product is read as it lies in memory, ten times as fast
            column, row = (product.T > least.T).nonzero(as_tuple=True)
            row, order = row.sort(stable=True)
            column = column[order]
        per_row = torch.bincount(row, minlength=len(least))
        place = torch.arange(len(row), device=row.device) - (per_row.cumsum(0) - per_row)[row]
        values = torch.full((len(least), int(per_row.max())), -torch.inf, device=row.device)
        where = torch.zeros(values.shape, dtype=torch.int64, device=row.device)
        values[row, place], where[row, place] = product[row, column].float(), column
        return values, where


class _Members:
    """Which rows are of one group. Pairs within groups are few where N x N is not: they are named, not looked for."""

    def __init__(self, codes: np.ndarray) -> None:
        self.codes, self.order = codes, np.argsort(codes, kind="stable")
        self.starts = np.searchsorted(codes[self.order], np.arange(codes.max(initial=-1) + 2))

    def pairs(self, rows: slice, columns: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """int64 [P], [P]: the rows of `rows` and of `columns` that are of one group, each counted from its slice's start."""
        code = self.codes[rows]
        sizes = self.starts[code + 1] - self.starts[code]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        row, column = np.repeat(np.arange(len(code)), sizes), self.order[np.repeat(self.starts[code], sizes) + within]
        inside = (column >= columns.start) & (column < columns.stop)
        return torch.from_numpy(row[inside]), torch.from_numpy(column[inside] - columns.start)


def outlier_score(rows: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    """float32 [N] in 0..1 from each row's neighbours `rows` [N, k] (-1: none) and their similarities [N, k]; higher is odder.

    1 - 2^(-d / m), with d the mean cosine distance to the neighbours and m the median d: the usual row has 0.5, one twice as
    far off 0.75. A monotone map of d, and of cleanlab's 1 - exp(-t d / m) (Kuan & Mueller 2022) with t = ln 2. A row without any
    neighbour, of which nothing is known, counts as the usual one.
    """
    there = rows >= 0  # a neighbour that is missing is not one far off: the patient with most photos has few of others
    count, total = there.sum(axis=1), np.where(there, 1 - similarity.astype(np.float64), 0).sum(axis=1)
    known = count > 0
    score = np.full(len(rows), 0.5, np.float32)
    if known.any():
        distance = total[known] / count[known]
        score[known] = 1 - np.exp2(-distance / max(float(np.median(distance)), 1e-9))
    return score


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
    return torch.nn.functional.normalize(torch.from_numpy(np.asarray(features, dtype=np.float32)).to(main_device()), dim=1)
