"""Class probabilities of every training row: multinomial logistic regression on the frozen features and the answers.

Out-of-fold, because in-sample probabilities over-flag what is hard and rare: the classifier has seen the label it is asked
about wherever it had the capacity to learn it, and contradicts it where it had not.
"""

import itertools

import numpy as np
import torch

from dermlab.data.errors import ContractError
from dermlab.data.progress import progress
from dermlab.flag.folds import patient_folds
from dermlab.model.runtime import main_device, multiplies_bfloat16

ITERATIONS = 200
BFLOAT16_FROM = 2**26  # numbers in the features, from which the faster format is worth its third digit
TOLERANCE = {torch.float32: 1e-7, torch.bfloat16: 1e-5}  # of the mean log-loss; bfloat16 gradients cannot tell less apart
PRECONDITION_ROWS = 8  # a feature: enough to estimate the features' second moments
ROWS_AT_ONCE = 8192  # while features are converted: their float32 copy never exists as a whole


def repeated_out_of_fold(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, classes: int, l2: float, folds: int, repeats: int, seed: int
) -> np.ndarray:
    """float32 [R, N, classes]: `out_of_fold` for `repeats` draws of the folds, by group and stratified."""
    draws = (patient_folds(labels, groups, classes, folds, seed, repeat) for repeat in range(repeats))
    return np.stack([out_of_fold(features, labels, draw, classes, l2) for draw in draws])


def out_of_fold(features: np.ndarray, labels: np.ndarray, folds: np.ndarray, classes: int, l2: float) -> np.ndarray:
    """float32 [N, classes], rows sum to 1; row i comes from a classifier that saw no row of fold `folds[i]`.

    features: float [N, D]; labels: int [N] in 0..classes-1; folds: int [N]. Standardisation is fitted without the held-out
    fold as well. A class absent from the other folds has probability 0. Raises ContractError unless every row is predicted
    exactly once.
    """
    order = np.argsort(folds, kind="stable")  # a fold is then one block of rows, and the others are two: no copies
    numbers, sizes = np.unique(folds[order], return_counts=True)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    rows = Rows(features, order, starts)
    labels = torch.from_numpy(labels[order]).to(rows.x.device)
    probs = np.zeros((len(labels), classes), dtype=np.float32)
    predicted = np.zeros(len(labels), dtype=np.int64)
    with progress("Out-of-fold probabilities", len(numbers), "folds") as meter:
        for fold, number in meter.track(list(enumerate(numbers))):
            others = [other for other in range(len(numbers)) if other != fold]
            held_out = order[starts[fold] : starts[fold + 1]]
            probs[held_out] = _fit_and_predict(rows, labels, others, fold, classes, l2)
            predicted[folds == number] += 1
    if not (predicted == 1).all():
        wrong = int((predicted != 1).sum())
        raise ContractError(f"{wrong} training rows have not exactly one held-out prediction: their fold is missing.")
    return probs


def in_sample(features: np.ndarray, labels: np.ndarray, classes: int, l2: float) -> np.ndarray:
    """float32 [N, classes]: the classifier is fitted to all rows and asked about the same rows. For comparison only."""
    rows = Rows(features, np.arange(len(labels)), np.array([0, len(labels)]))
    return _fit_and_predict(rows, torch.from_numpy(labels).to(rows.x.device), [0], 0, classes, l2)


class Rows:
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


def _fit_and_predict(rows: Rows, labels: torch.Tensor, train: list[int], held_out: int, classes: int, l2: float) -> np.ndarray:
    """train, held_out: blocks of `rows`."""
    present, encoded = torch.unique(torch.cat([labels[part] for part in rows.slices(train)]), return_inverse=True)
    (asked,) = rows.slices([held_out])
    probs = np.zeros((asked.stop - asked.start, classes), dtype=np.float32)
    if len(present) == 1:
        probs[:, int(present[0])] = 1
        return probs
    weights, intercept = fit(rows, train, encoded, len(present), l2)
    logits = (rows.x[asked] @ weights.to(rows.x.dtype)).double() + intercept
    probs[:, present.cpu().numpy()] = torch.softmax(logits, dim=1).float().cpu().numpy()
    return probs


def _precondition(sample: torch.Tensor, penalty: torch.Tensor, classes: int) -> torch.Tensor:
    """P float32 [D+1, D+1] of `fit`. sample: [M, D], standardised; penalty: [D+1]."""
    sample = torch.nn.functional.pad(sample, (0, 1), value=1.0)
    curvature = (sample.T @ sample / (len(sample) * classes)).double()
    curvature.diagonal().add_(penalty.double().clamp(min=1e-6))
    upper = torch.linalg.cholesky(curvature).T
    identity = torch.eye(len(curvature), dtype=torch.float64, device=sample.device)
    return torch.linalg.solve_triangular(upper, identity, upper=True).float()


def fit(rows: Rows, train: list[int], labels: torch.Tensor, classes: int, l2: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights float32 [D, classes] and intercept [classes] of the softmax regression for `rows.x`, fitted to the blocks in `train`,
    whose labels [n] are 0..classes-1.

    Minimises  sum_i -log p(label_i | z_i) + l2/2 ||V||^2,  z = (x - mean) / deviation of these rows, the intercept unpenalised:
    scikit-learn's LogisticRegression with C = 1 / l2 behind a StandardScaler. Full-batch L-BFGS on v, V = P v, where P P^T is the
    inverse of the Hessian's block of a class as it is while all classes are equally likely: that takes tens of iterations where
    the plain problem takes hundreds.
    """
    mean, deviation = rows.moments(train)
    parts = rows.slices(train)
    count, width = len(labels), rows.x.shape[1]
    penalty = torch.full((width + 1, 1), l2 / count, device=rows.x.device)
    penalty[-1] = 0
    step = max(1, count // (PRECONDITION_ROWS * width))
    sample = torch.cat([rows.x[part][::step].float() for part in parts])
    precondition = _precondition((sample - mean) / deviation, penalty[:, 0], classes)

    blocks, targets = [rows.x[part] for part in parts], torch.split(labels, [part.stop - part.start for part in parts])
    v = torch.zeros(width + 1, classes, device=rows.x.device, requires_grad=True)
    solver = torch.optim.LBFGS([v], max_iter=ITERATIONS, history_size=10, tolerance_grad=1e-5,
                               tolerance_change=TOLERANCE[rows.x.dtype],
                               line_search_fn="strong_wolfe")  # fmt: skip

    def for_x(standardised: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        weights = standardised[:-1] / deviation[:, None]
        return weights, standardised[-1] - mean @ weights

    def objective() -> torch.Tensor:
        standardised = precondition @ v.detach()
        weights, intercept = for_x(standardised)
        loss = (penalty * standardised**2).sum() / 2
        gradient, sums = torch.zeros_like(weights), torch.zeros_like(intercept)
        for x, target in zip(blocks, targets, strict=True):
            log_probs = torch.log_softmax((x @ weights.to(x.dtype)).float() + intercept, dim=1)
            own = log_probs.gather(1, target[:, None])
            loss -= own.sum() / count
            residual = log_probs.exp_().scatter_add_(1, target[:, None], torch.full_like(own, -1.0))
            gradient += (residual.to(x.dtype).T @ x).float().T / count  # this way round x is read as it lies in memory
            sums += residual.sum(0) / count
        gradient = (gradient - mean[:, None] * sums) / deviation[:, None]
        v.grad = precondition.T @ (torch.cat([gradient, sums[None]]) + penalty * standardised)
        return loss

    solver.step(torch.no_grad()(objective))  # the gradient is set by hand
    return for_x(precondition @ v.detach())
