"""Class probabilities of every training row: multinomial logistic regression on the frozen features and the answers.

Out-of-fold, because in-sample probabilities over-flag what is hard and rare: the classifier has seen the label it is asked
about wherever it had the capacity to learn it, and contradicts it where it had not.
"""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from dermlab.data.folds import patient_folds
from dermlab.model.optimizers import eager
from dermlab.model.runtime import main_device, multiplies_bfloat16
from dermlab.run.progress import progress

ITERATIONS = 200
BFLOAT16_FROM = 2**26  # numbers in the features, from which the faster format is worth its third digit
TOLERANCE = {torch.float32: 1e-7, torch.bfloat16: 1e-5}  # of the mean log-loss; bfloat16 gradients cannot tell less apart
PRECONDITION_ROWS = 8  # a feature: enough to estimate the features' second moments
THREADS_FROM = 2**24  # numbers in the features, from which a second thread is worth its waiting
ROWS_AT_ONCE = 8192  # while features are converted: their float32 copy never exists as a whole
PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
TRIED_ON = 20_000  # rows that tell one penalty from another
DOUBT = 0.1  # share of wrong labels that the refit reckons with


@dataclass(frozen=True)
class OutOfFoldProbabilities:
    """Two looks at every row by classifiers that saw none of its fold, each float32 [R, N, C] for R draws of the folds, rows sum to 1."""

    of_labels: np.ndarray  # fitted to the labels as given, so it says how labels come out
    refitted: np.ndarray  # fitted to what is then likely to be true
    l2: float | None  # the penalty of both; None where they come from elsewhere


def out_of_fold_probabilities(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, classes: int, l2: float | None, folds: int, repeats: int, seed: int,
    refit: bool = True,
) -> OutOfFoldProbabilities:  # fmt: skip
    """features: float [N, D]; labels: int [N] in 0..classes-1; groups: str [N], kept in one fold. l2: None chooses by `best_penalty`.
    Without `refit` both looks are the first."""
    target = one_hot(labels, classes)
    first, second = [], []
    for repeat in range(repeats):
        draw = OutOfFold(features, patient_folds(labels, groups, classes, folds, seed, repeat))
        l2 = l2 or draw.best_penalty(target)
        first.append(draw.predict(target, l2))
        second.append(draw.predict(believed(labels, first[-1]), l2) if refit else first[-1])
    return OutOfFoldProbabilities(np.stack(first), np.stack(second), l2)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """float32 [N, classes]."""
    return np.eye(classes, dtype=np.float32)[labels]


def believed(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """float32 [N, C], rows sum to 1: what each row is likely to be if a share DOUBT of the labels is wrong, in no particular way.

    A classifier fitted to this instead of the labels (one step of EM for logistic regression under label noise, Bootkrajang & Kaban 2012)
    is not pulled towards the wrong ones. A particular way, were it learnt from the labels and wrong, would be learnt again by the refit.
    """
    wrong = DOUBT / (probs.shape[1] - 1)
    joint = probs * np.where(one_hot(labels, probs.shape[1]) > 0, 1 - DOUBT, wrong).astype(np.float32)
    return joint / joint.sum(axis=1, keepdims=True)


def power_normalised(features: np.ndarray) -> np.ndarray:
    """float32 [N, D]: the signed square root of every number, rows of length sqrt(D) (Perronnin et al. 2010, section 3).

    A few large activations then no longer outweigh the many small ones, which a linear classifier otherwise cannot undo.
    """
    roots = np.sqrt(np.abs(features), dtype=np.float32)
    np.copysign(roots, features, out=roots)
    roots *= roots.shape[1] ** 0.5 / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-12)
    return roots


def in_sample(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, classes: int, l2: float | None, folds: int, seed: int
) -> OutOfFoldProbabilities:
    """As `out_of_fold_probabilities`, but of a classifier that is fitted to all rows and asked about the same. For comparison only."""
    target = one_hot(labels, classes)
    l2 = l2 or OutOfFold(features, patient_folds(labels, groups, classes, folds, seed)).best_penalty(target)
    rows = FeatureBlocks(features, np.arange(len(labels)), np.array([0, len(labels)]))
    with _threads_for(rows.x.numel()):
        probs = _Fold(rows, [0], 0).predict(torch.from_numpy(target).to(rows.x.device), l2)[None]
    return OutOfFoldProbabilities(probs, probs, l2)


class OutOfFold:
    """Rows and their folds, for which classifiers are fitted once or more: each search starts where the last one of its fold ended.

    features: float [N, D]; folds: int [N]. Standardisation is fitted without the held-out fold as well.
    """

    def __init__(self, features: np.ndarray, folds: np.ndarray) -> None:
        self.order = np.argsort(folds, kind="stable")  # a fold is then one block of rows, and the others are two: no copies
        numbers, sizes = np.unique(folds[self.order], return_counts=True)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        self.rows = FeatureBlocks(features, self.order, starts)
        blocks = range(len(numbers))
        self.folds = [_Fold(self.rows, [other for other in blocks if other != fold], fold) for fold in blocks]

    def predict(self, targets: np.ndarray, l2: float) -> np.ndarray:
        """float32 [N, C], rows sum to 1; a row comes from a classifier that saw no row of its fold. targets: float [N, C], rows sum to 1.
        A class absent from the other folds has probability 0."""
        with progress("Out-of-fold probabilities", len(self.folds), "folds") as meter:
            return self._predict(meter.track(self.folds), targets, l2)

    def best_penalty(self, targets: np.ndarray) -> float:
        """Of PENALTIES the one with the least out-of-fold log-loss, climbing from the middle; asked of so many folds as hold TRIED_ON rows.

        It depends on the source: 100 on the phantom, 300 on CIFAR-10H, 1000 on HAM10000, all with lite0. One too small makes every row
        its own evidence, one too large makes every row doubtful.
        """
        sizes = np.diff(self.rows.starts)
        asked = self.folds[: int(np.searchsorted(np.cumsum(sizes), min(TRIED_ON, sizes.sum()))) + 1]
        rows = np.concatenate([fold.asked(self.order) for fold in asked])
        losses: dict[int, float] = {}

        def loss(at: int) -> float:
            if not 0 <= at < len(PENALTIES):
                return float("inf")
            if at not in losses:
                probs = self._predict(asked, targets, PENALTIES[at])[rows]
                losses[at] = float(-(targets[rows] * np.log(np.clip(probs, 1e-7, 1))).sum(axis=1).mean())
            return losses[at]

        at = PENALTIES.index(300.0)
        while (best := min((at, at - 1, at + 1), key=loss)) != at:
            at = best
        return PENALTIES[at]

    def _predict(self, folds: Iterable["_Fold"], targets: np.ndarray, l2: float) -> np.ndarray:
        ordered = torch.from_numpy(np.asarray(targets, dtype=np.float32)[self.order]).to(self.rows.x.device)
        probs = np.zeros(targets.shape, dtype=np.float32)
        with _threads_for(self.rows.x.numel()):
            for fold in folds:
                probs[fold.asked(self.order)] = fold.predict(ordered, l2)
        return probs


class FeatureBlocks:
    """All rows of a problem, once, in the order asked for, and cut into blocks at `starts`.

    `x`: [N, D] on the device; as bfloat16, which has three digits, each feature first gets mean 0 and deviation 1 over all rows. What
    a classifier is fitted to is standardised by its own rows, which is applied to the weights instead of to `x`.
    """

    def __init__(self, features: np.ndarray, order: np.ndarray, starts: np.ndarray) -> None:
        fast = multiplies_bfloat16() and features.size >= BFLOAT16_FROM
        mean, deviation = _moments_of(features) if fast else (0.0, 1.0)
        self.x = torch.empty(features.shape, dtype=torch.bfloat16 if fast else torch.float32, device=main_device())
        self.starts, sums = starts, []
        for first, last in itertools.pairwise(starts.tolist()):
            total = torch.zeros(2, features.shape[1], dtype=torch.float64, device=self.x.device)
            for start in range(first, last, ROWS_AT_ONCE):
                part = order[start : min(start + ROWS_AT_ONCE, last)]
                block = torch.from_numpy((features[part].astype(np.float32) - mean) / deviation).to(self.x)
                self.x[start : start + len(part)] = block
                total += torch.stack([block.float().sum(0), block.float().square().sum(0)])
            sums.append(total)
        self.sums = torch.stack(sums)

    def moments(self, blocks: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation float32 [D] of the rows in `blocks`; a feature that never varies there has deviation 1."""
        count = sum(self.starts[block + 1] - self.starts[block] for block in blocks)
        mean, square = self.sums[blocks].sum(0) / float(count)
        deviation = (square - mean**2).clamp(min=0).sqrt()
        deviation[deviation < 1e-4] = 1  # it says nothing
        return mean.float(), deviation.float()

    def slices(self, blocks: list[int]) -> list[slice]:
        """The rows of `blocks`, which ascend, as few slices as possible."""
        found: list[slice] = []
        for block in blocks:
            first, last = int(self.starts[block]), int(self.starts[block + 1])
            if found and found[-1].stop == first:
                first = found.pop().start
            found.append(slice(first, last))
        return found


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


class _Fold:
    """The classifier that sees the blocks `train` of `rows` and is asked about the block `out_of_fold_probabilities`."""

    def __init__(self, rows: FeatureBlocks, train: list[int], held_out_fold: int) -> None:
        self.rows, self.train, self.held_out_fold = rows, train, held_out_fold
        self.solution: torch.Tensor | None = None  # of the last fit, for standardised features

    def asked(self, order: np.ndarray) -> np.ndarray:
        """int64: the rows of the held-out fold, as numbered before they were put in order."""
        return order[self.rows.starts[self.held_out_fold] : self.rows.starts[self.held_out_fold + 1]]

    def predict(self, targets: torch.Tensor, l2: float) -> np.ndarray:
        """float32 [rows of the held-out fold, C]. targets: [N, C] in the order of `rows`."""
        seen = torch.cat([targets[part] for part in self.rows.slices(self.train)])
        present = seen.sum(0) > 0
        (asked,) = self.rows.slices([self.held_out_fold])
        probs = np.zeros((asked.stop - asked.start, targets.shape[1]), dtype=np.float32)
        if present.sum() == 1:
            probs[:, present.cpu().numpy()] = 1
            return probs
        start = self.solution if self.solution is not None and self.solution.shape[1] == present.sum() else None
        weights, intercept, self.solution = fit(self.rows, self.train, seen[:, present], l2, start)
        logits = (self.rows.x[asked] @ weights.to(self.rows.x.dtype)).double() + intercept
        probs[:, present.cpu().numpy()] = torch.softmax(logits, dim=1).float().cpu().numpy()
        return probs


@contextmanager
def _threads_for(numbers: int) -> Iterator[None]:
    """One thread for a small problem: two would wait for each other at each of thousands of steps, and for ever where others compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if numbers >= THREADS_FROM else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _precondition(sample: torch.Tensor, penalty: torch.Tensor, classes: int) -> torch.Tensor:
    """U float32 [D+1, D+1], upper triangular, with P = U^-1 of `fit`. sample: [M, D], standardised; penalty: [D+1]."""
    sample = torch.nn.functional.pad(sample, (0, 1), value=1.0)
    curvature = (sample.T @ sample / (len(sample) * classes)).double()
    curvature.diagonal().add_(penalty.double().clamp(min=1e-6))
    return torch.linalg.cholesky(curvature).T


def fit(
    rows: FeatureBlocks, train: list[int], targets: torch.Tensor, l2: float, start: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Weights float32 [D, C] and intercept [C] of the softmax regression for `rows.x`, fitted to the blocks in `train` with the
    targets [n, C], rows sum to 1; and V [D+1, C], from which a next search may `start`.

    Minimises  -sum_ic t_ic log p(c | z_i) + l2/2 ||V||^2,  z = (x - mean) / deviation of these rows, the intercept unpenalised:
    scikit-learn's LogisticRegression with C = 1 / l2 behind a StandardScaler. Full-batch L-BFGS on v, V = P v, where P P^T is the
    inverse of the Hessian's block of a class as it is while all classes are equally likely: that takes tens of iterations where
    the plain problem takes hundreds.
    """
    mean, deviation = rows.moments(train)
    parts = rows.slices(train)
    (count, classes), width = targets.shape, rows.x.shape[1]
    penalty = torch.full((width + 1, 1), l2 / count, device=rows.x.device)
    penalty[-1] = 0
    step = max(1, count // (PRECONDITION_ROWS * width))
    sample = torch.cat([rows.x[part][::step].float() for part in parts])
    upper = _precondition((sample - mean) / deviation, penalty[:, 0], classes)
    identity = torch.eye(width + 1, dtype=torch.float64, device=rows.x.device)
    precondition = torch.linalg.solve_triangular(upper, identity, upper=True).float()

    blocks, parts_of = [rows.x[part] for part in parts], torch.split(targets, [part.stop - part.start for part in parts])
    v = torch.zeros(width + 1, classes, device=rows.x.device) if start is None else (upper @ start.double()).float()
    v.requires_grad_()
    solver = eager(torch.optim.LBFGS)(
        [v], max_iter=ITERATIONS, history_size=10, tolerance_grad=1e-5, tolerance_change=TOLERANCE[rows.x.dtype],
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def for_x(standardised: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        weights = standardised[:-1] / deviation[:, None]
        return weights, standardised[-1] - mean @ weights

    def objective() -> torch.Tensor:
        standardised = precondition @ v.detach()
        weights, intercept = for_x(standardised)
        loss = (penalty * standardised**2).sum() / 2
        gradient, sums = torch.zeros_like(weights), torch.zeros_like(intercept)
        for x, target in zip(blocks, parts_of, strict=True):
            log_probs = torch.log_softmax((x @ weights.to(x.dtype)).float() + intercept, dim=1)
            loss -= (target * log_probs).sum() / count
            residual = log_probs.exp_().sub_(target)
            gradient += (residual.to(x.dtype).T @ x).float().T / count  # this way round x is read as it lies in memory
            sums += residual.sum(0) / count
        gradient = (gradient - mean[:, None] * sums) / deviation[:, None]
        v.grad = precondition.T @ (torch.cat([gradient, sums[None]]) + penalty * standardised)
        return loss

    solver.step(torch.no_grad()(objective))  # the gradient is set by hand
    solution = precondition @ v.detach()
    return *for_x(solution), solution
