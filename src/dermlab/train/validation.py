"""What an epoch is judged by, and the temperature of the one that is kept."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Validation:
    """`top1`, `macro_f1`: over the rows of the target classes, with `other` left out of the ranking, as the headline is
    scored. `nll`: mean negative log-likelihood of all rows, before the temperature."""

    top1: float
    macro_f1: float
    nll: float

    @property
    def score(self) -> float:
        """The mean of top-1 and macro F1. Either alone picks badly on a small validation split: top-1 hears of the common
        classes only, and the F1 of a class of five rows jumps with each of them."""
        return (self.top1 + self.macro_f1) / 2


def validate(logits: np.ndarray, labels: np.ndarray) -> Validation:
    """`logits`: [N, K+1]; `labels`: [N], 0..K. N >= 1. Without any target row top1 and macro_f1 are 0."""
    other = logits.shape[1] - 1
    target = labels < other
    truth, predicted = labels[target], logits[target, :other].argmax(1)
    nll = float(_negative_log_likelihood(logits.astype(np.float64), labels))
    if not len(truth):
        return Validation(0.0, 0.0, nll)
    return Validation(float((truth == predicted).mean()), macro_f1(truth, predicted), nll)


def macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """The unweighted mean over the classes that occur in `truth` or `predicted` of 2 tp / (2 tp + fp + fn)."""
    size = int(max(truth.max(), predicted.max())) + 1
    confusion = np.zeros((size, size), dtype=np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    both = confusion.sum(0) + confusion.sum(1)
    occurs = both > 0
    return float((2 * np.diag(confusion)[occurs] / both[occurs]).mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """T that minimises the negative log-likelihood of softmax(logits / T), Guo et al. 2017; between 0.05 and 20.

    The likelihood is convex in 1/T, so a golden-section search in log T finds it.
    """
    logits = logits.astype(np.float64)
    low, high = np.log(0.05), np.log(20.0)
    ratio = (np.sqrt(5) - 1) / 2

    def cost(log_t: float) -> float:
        return _negative_log_likelihood(logits / np.exp(log_t), labels)

    left, right = high - ratio * (high - low), low + ratio * (high - low)
    cost_left, cost_right = cost(left), cost(right)
    while high - low > 1e-5:
        if cost_left < cost_right:
            high, right, cost_right = right, left, cost_left
            left = high - ratio * (high - low)
            cost_left = cost(left)
        else:
            low, left, cost_left = left, right, cost_right
            right = low + ratio * (high - low)
            cost_right = cost(right)
    return float(np.exp((low + high) / 2))


def _negative_log_likelihood(logits: np.ndarray, labels: np.ndarray) -> float:
    shifted = logits - logits.max(1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]).mean())
