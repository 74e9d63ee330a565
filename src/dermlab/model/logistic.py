"""Linear classifiers on frozen features by a convex solver: the head in `train`, and in `flag` those that see no row they are asked about.

N rows, D features, C classes. What is fitted need not be softmax regression: any loss that is convex in the logits ends in the same place,
wherever the search starts.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from dermlab.model.optimizers import eager
from dermlab.model.runtime import main_device, multiplies_bfloat16

ITERATIONS = 200
LARGE = 2**26  # numbers in the features, from which bfloat16 is worth its third digit, and less of a search is enough
# Of the mean loss, what a step must gain; for large problems, whose flags it leaves alone; and for bfloat16, which cannot tell less apart.
TOLERANCE, TOLERANCE_IF_LARGE, TOLERANCE_OF_BFLOAT16 = 1e-7, 3e-6, 1e-5
PRECONDITION_ROWS = 8  # a feature: enough to estimate the features' second moments
THREADS_FROM = 2**24  # numbers in the features, from which a second thread is worth its waiting
ROWS_AT_ONCE = 8192  # while features are converted: their float32 copy never exists as a whole
PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)  # that are tried where one is chosen

# Of logits [R, C] the sum of the rows' losses, and its gradient [R, C].
Loss = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def cross_entropy(targets: torch.Tensor) -> Loss:
    """- sum_ic t_ic log p_ic, p = softmax(logits). targets: [R, C], rows sum to 1."""

    def loss(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        log_probs = torch.log_softmax(logits, dim=1)
        return -(targets * log_probs).sum(), log_probs.exp_().sub_(targets)

    return loss


class Design(Protocol):
    """What a classifier is fitted to, by the products with it: nobody but the design itself need hold its rows."""

    count: int  # N, of which the mean loss is one
    mean: torch.Tensor  # float32 [D]
    deviation: torch.Tensor  # float32 [D]
    tolerance: float  # what a step of the search must gain

    def logits(self, weights: torch.Tensor, intercept: torch.Tensor) -> torch.Tensor:
        """float32 [R, C], as many rows as the loss takes. weights: float32 [D, C]; intercept: [C]."""

    def gradient(self, residual: torch.Tensor) -> torch.Tensor:
        """float32 [D, C], transposed logits: of weights, where that of the logits is `residual` [R, C]."""

    def sample(self, rows: int) -> torch.Tensor:
        """float32 [M, D]: at least `rows` of the rows, if there are so many."""


@dataclass(frozen=True)
class Fitted:
    weights: torch.Tensor  # float32 [D, C], of the design's columns
    intercept: torch.Tensor  # float32 [C]
    solution: torch.Tensor  # float32 [D+1, C] of standardised columns, from which a next search may start


class FeatureBlocks:
    """All rows of a problem, once, in the order asked for, and cut into blocks at `starts`.

    `x`: [N, D] on the device; as bfloat16, which has three digits, each feature first gets mean 0 and deviation 1 over all rows, by
    `shift` and `scale`. What a classifier is fitted to is standardised by its own rows, which is applied to the weights instead of to `x`.
    """

    def __init__(self, features: np.ndarray, order: np.ndarray, starts: np.ndarray, exact: bool = False) -> None:
        """features: float [N, D]. exact: never as bfloat16, not where it is faster either."""
        fast = not exact and multiplies_bfloat16() and features.size >= LARGE
        width = features.shape[1]
        self.shift, self.scale = _moments_of(features) if fast else (np.zeros(width, np.float32), np.ones(width, np.float32))
        self.x = torch.empty(features.shape, dtype=torch.bfloat16 if fast else torch.float32, device=main_device())
        self.starts, sums = starts, []
        for first, last in itertools.pairwise(starts.tolist()):
            total = torch.zeros(2, width, dtype=torch.float64, device=self.x.device)
            for start in range(first, last, ROWS_AT_ONCE):
                part = order[start : min(start + ROWS_AT_ONCE, last)]
                block = torch.from_numpy((features[part].astype(np.float32) - self.shift) / self.scale).to(self.x)
                self.x[start : start + len(part)] = block
                total += torch.stack([block.float().sum(0), block.float().square().sum(0)])
            sums.append(total)
        self.sums = torch.stack(sums)

    def slices(self, blocks: list[int]) -> list[slice]:
        """The rows of `blocks`, which ascend, as few slices as possible."""
        found: list[slice] = []
        for block in blocks:
            first, last = int(self.starts[block]), int(self.starts[block + 1])
            if found and found[-1].stop == first:
                first = found.pop().start
            found.append(slice(first, last))
        return found


class Part:
    """The rows of some blocks as a `Design`, without a copy."""

    def __init__(self, rows: FeatureBlocks, blocks: list[int]) -> None:
        self.parts = [rows.x[part] for part in rows.slices(blocks)]
        self.count = sum(len(x) for x in self.parts)
        exact = TOLERANCE_IF_LARGE if self.count * rows.x.shape[1] >= LARGE else TOLERANCE
        self.tolerance = TOLERANCE_OF_BFLOAT16 if rows.x.dtype == torch.bfloat16 else exact
        self.mean, self.deviation = _spread(rows.sums[blocks].sum(0) / float(self.count))

    def logits(self, weights: torch.Tensor, intercept: torch.Tensor) -> torch.Tensor:
        return torch.cat([(x @ weights.to(x.dtype)).float() for x in self.parts]) + intercept

    def gradient(self, residual: torch.Tensor) -> torch.Tensor:
        residuals = residual.to(self.parts[0].dtype).split([len(x) for x in self.parts])
        # this way round x is read as it lies in memory
        return sum((of.T @ x).float().T for of, x in zip(residuals, self.parts, strict=True))

    def sample(self, rows: int) -> torch.Tensor:
        step = max(1, self.count // rows)
        return torch.cat([x[::step].float() for x in self.parts])


def curvature_of(design: Design) -> torch.Tensor:
    """float64 [D+1, D+1]: the mean of z z^T, z a sampled row of standardised columns with a 1 behind it."""
    sample = (design.sample(PRECONDITION_ROWS * len(design.mean)) - design.mean) / design.deviation
    sample = torch.nn.functional.pad(sample, (0, 1), value=1.0)
    return (sample.T @ sample).double() / len(sample)


def fit(design: Design, loss: Loss, classes: int, l2: float, curvature: torch.Tensor, start: torch.Tensor | None = None) -> Fitted:
    """Minimises  1/N sum_i loss_i + l2/2N ||V||^2,  with V the weights of columns standardised by the design's mean and deviation and the
    intercept unpenalised: with the cross entropy, scikit-learn's LogisticRegression with C = 1 / l2 behind a StandardScaler.

    Full-batch L-BFGS on v, V = P v, where P P^T is the inverse of the Hessian's block of a class as it is while all classes are equally
    likely: that takes tens of iterations where the plain problem takes hundreds. curvature: as `curvature_of`; start: [D+1, C], a
    solution of before.
    """
    mean, deviation = design.mean, design.deviation
    width, count = len(mean), design.count
    penalty = torch.full((width + 1, 1), l2 / count, device=mean.device)
    penalty[-1] = 0
    hessian = curvature / classes
    hessian.diagonal().add_(penalty[:, 0].double().clamp(min=1e-6))
    upper = torch.linalg.cholesky(hessian).T
    identity = torch.eye(width + 1, dtype=torch.float64, device=mean.device)
    precondition = torch.linalg.solve_triangular(upper, identity, upper=True).float()

    v = torch.zeros(width + 1, classes, device=mean.device) if start is None else (upper @ start.double()).float()
    v.requires_grad_()
    solver = eager(torch.optim.LBFGS)(
        [v], max_iter=ITERATIONS, history_size=10, tolerance_grad=1e-5, tolerance_change=design.tolerance, line_search_fn="strong_wolfe"
    )  # fmt: skip

    def for_columns(standardised: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        weights = standardised[:-1] / deviation[:, None]
        return weights, standardised[-1] - mean @ weights

    def objective() -> torch.Tensor:
        standardised = precondition @ v.detach()
        total, residual = loss(design.logits(*for_columns(standardised)))
        sums = residual.sum(0)
        gradient = (design.gradient(residual) - mean[:, None] * sums) / deviation[:, None]
        v.grad = precondition.T @ (torch.cat([gradient, sums[None]]) / count + penalty * standardised)
        return total / count + (penalty * standardised**2).sum() / 2

    solver.step(torch.no_grad()(objective))  # the gradient is set by hand
    solution = precondition @ v.detach()
    return Fitted(*for_columns(solution), solution)


def best_penalty(loss: Callable[[float], float]) -> float:
    """Of PENALTIES the one of the least `loss`, climbing from the middle."""
    losses: dict[int, float] = {}

    def at(place: int) -> float:
        if not 0 <= place < len(PENALTIES):
            return float("inf")
        if place not in losses:
            losses[place] = loss(PENALTIES[place])
        return losses[place]

    best = len(PENALTIES) // 2
    while (better := min((best, best - 1, best + 1), key=at)) != best:
        best = better
    return PENALTIES[best]


@contextmanager
def threads_for(numbers: int) -> Iterator[None]:
    """One thread for a small problem: two would wait for each other at each of thousands of steps, and for ever where others compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if numbers >= THREADS_FROM else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def spread_of(columns: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation float32 [D] of columns [N, D]; of one that never varies the deviation is 1: it says nothing."""
    exact = columns.double()
    return _spread(torch.stack([exact.mean(0), exact.square().mean(0)]))


def _spread(moments: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As `spread_of`, of the mean and the mean square, float64 [2, D]."""
    mean, square = moments
    deviation = (square - mean**2).clamp(min=0).sqrt()
    return mean.float(), deviation.where(deviation >= 1e-4, 1.0).float()


def _moments_of(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation float32 [D]; a feature that never varies has deviation 1."""
    total, squares = np.zeros(features.shape[1]), np.zeros(features.shape[1])
    for start in range(0, len(features), ROWS_AT_ONCE):
        block = features[start : start + ROWS_AT_ONCE].astype(np.float32)
        total += block.sum(axis=0, dtype=np.float64)
        squares += np.square(block).sum(axis=0, dtype=np.float64)
    mean = total / len(features)
    deviation = np.sqrt(np.maximum(squares / len(features) - mean**2, 0))
    return mean.astype(np.float32), np.where(deviation < 1e-6, 1, deviation).astype(np.float32)
