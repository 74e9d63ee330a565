"""Class probabilities of every training row: multinomial logistic regression on the frozen features and the answers.

Out-of-fold, because in-sample probabilities over-flag what is hard and rare: the classifier has seen the label it is asked
about wherever it had the capacity to learn it, and contradicts it where it had not.
"""

import numpy as np
import torch

from dermlab.data.errors import ContractError
from dermlab.data.progress import progress
from dermlab.flag.arithmetic import device, multiplies_bfloat16
from dermlab.flag.folds import patient_folds

ITERATIONS = 200
BFLOAT16_FROM = 2**26  # numbers in the features, from which the faster format is worth its third digit
PRECONDITION_ROWS = 8  # a feature: enough to estimate the features' second moments


def repeated_out_of_fold(
    features: np.ndarray, labels: np.ndarray, patients: np.ndarray, classes: int, l2: float, folds: int, repeats: int, seed: int
) -> np.ndarray:
    """float32 [R, N, classes]: `out_of_fold` for `repeats` draws of the folds, by patient and stratified, from `seed` on."""
    draws = (patient_folds(labels, patients, folds, seed + repeat) for repeat in range(repeats))
    return np.stack([out_of_fold(features, labels, draw, classes, l2) for draw in draws])


def out_of_fold(features: np.ndarray, labels: np.ndarray, folds: np.ndarray, classes: int, l2: float) -> np.ndarray:
    """float32 [N, classes], rows sum to 1; row i comes from a classifier that saw no row of fold `folds[i]`.

    features: float [N, D]; labels: int [N] in 0..classes-1; folds: int [N]. Standardisation is fitted without the held-out
    fold as well. A class absent from the other folds has probability 0. Raises ContractError unless every row is predicted
    exactly once.
    """
    probs = np.zeros((len(labels), classes), dtype=np.float32)
    predicted = np.zeros(len(labels), dtype=np.int64)
    numbers = np.unique(folds)
    with progress("Out-of-fold probabilities", len(numbers), "folds") as meter:
        for fold in meter.track(numbers):
            held_out = folds == fold
            probs[held_out] = _fit_and_predict(features, labels, ~held_out, held_out, classes, l2)
            predicted[held_out] += 1
    if not (predicted == 1).all():
        wrong = int((predicted != 1).sum())
        raise ContractError(f"{wrong} training rows have not exactly one held-out prediction: their fold is missing.")
    return probs


def in_sample(features: np.ndarray, labels: np.ndarray, classes: int, l2: float) -> np.ndarray:
    """float32 [N, classes]: the classifier is fitted to all rows and asked about the same rows. For comparison only."""
    every = np.ones(len(labels), dtype=bool)
    return _fit_and_predict(features, labels, every, every, classes, l2)


def _fit_and_predict(
    features: np.ndarray, labels: np.ndarray, train: np.ndarray, held_out: np.ndarray, classes: int, l2: float
) -> np.ndarray:
    present, encoded = np.unique(labels[train], return_inverse=True)
    probs = np.zeros((int(held_out.sum()), classes), dtype=np.float32)
    if len(present) == 1:
        probs[:, present[0]] = 1
        return probs
    x = torch.from_numpy(np.asarray(features[train], dtype=np.float32)).to(device())
    mean, deviation = x.mean(0), x.std(0, correction=0)
    deviation[deviation < 1e-6] = 1  # a feature that never varies says nothing
    weights = fit(_standardised(x, mean, deviation), torch.from_numpy(encoded).to(x.device), len(present), l2)
    asked = torch.from_numpy(np.asarray(features[held_out], dtype=np.float32)).to(device())
    probs[:, present] = torch.softmax((_standardised(asked, mean, deviation) @ weights).double(), dim=1).float().cpu().numpy()
    return probs


def fit(x: torch.Tensor, labels: torch.Tensor, classes: int, l2: float) -> torch.Tensor:
    """Weights float32 [D+1, classes] of the softmax regression; the last column of `x` [N, D+1] is the constant 1.

    Minimises  sum_i -log p(label_i | x_i) + l2/2 ||W||^2,  the intercept unpenalised: scikit-learn's LogisticRegression with
    C = 1 / l2. Full-batch L-BFGS on V, W = P V, where P P^T is the inverse of the Hessian's block of a class as it is while all
    classes are equally likely: that takes tens of iterations where the plain problem takes hundreds.
    """
    rows, width = x.shape
    penalty = torch.full((width, 1), l2 / rows, device=x.device)
    penalty[-1] = 0
    sample = x[:: max(1, rows // (PRECONDITION_ROWS * width))].double()
    curvature = sample.T @ sample / (len(sample) * classes)
    curvature.diagonal().add_(penalty[:, 0].double().clamp(min=1e-6))
    identity = torch.eye(width, dtype=torch.float64, device=x.device)
    upper = torch.linalg.cholesky(curvature).T
    precondition = torch.linalg.solve_triangular(upper, identity, upper=True).float()

    if multiplies_bfloat16() and x.numel() >= BFLOAT16_FROM:
        x = x.bfloat16()
    every = torch.arange(rows, device=x.device)
    v = torch.zeros(width, classes, device=x.device, requires_grad=True)
    solver = torch.optim.LBFGS([v], max_iter=ITERATIONS, history_size=10, tolerance_grad=1e-5, tolerance_change=1e-7,
                               line_search_fn="strong_wolfe")  # fmt: skip

    def objective() -> torch.Tensor:
        weights = precondition @ v.detach()
        logits = (x @ weights.to(x.dtype)).float()
        log_probs = torch.log_softmax(logits, dim=1)
        loss = (penalty * weights**2).sum() / 2 - log_probs[every, labels].mean()
        residual = log_probs.exp_()
        residual[every, labels] -= 1
        gradient = (x.T @ residual.to(x.dtype)).float() / rows + penalty * weights
        v.grad = precondition.T @ gradient
        return loss

    solver.step(torch.no_grad()(objective))  # the gradient is set by hand
    return precondition @ v.detach()


def _standardised(x: torch.Tensor, mean: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
    """float32 [N, D+1]: mean 0 and deviation 1 by the given moments [D], and a constant 1 as the last column."""
    out = torch.ones(len(x), x.shape[1] + 1, device=x.device)
    out[:, :-1] = (x - mean) / deviation
    return out
