"""What an epoch is judged by, and the temperature of the one that is kept."""

from dataclasses import dataclass

import numpy as np

from dermlab.scores.counts import count, macro_f1, top1

LEAST_T = 0.2  # the field's fine-tuned model needed 1.03; a need beyond a factor of five is a fault of the training, not of its scale
PRIOR = 0.25  # standard deviation of log T: a factor of 1.3 either way


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
    counts = count(truth, predicted, other)
    return Validation(float(top1(counts)), float(macro_f1(counts)), nll)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """T by which logits are divided before the softmax (Guo et al. 2017), between LEAST_T and 1 / LEAST_T.

    Minimises the negative log-likelihood of all rows plus (log T)^2 / (2 PRIOR^2), a normal prior on log T about no change at all. Where
    validation is all right the likelihood alone asks for T = 0, for certainty; a few rows do not earn it. Since the prior costs
    nothing at T = 1, the likelihood is never lower than without a temperature.
    """
    from scipy.optimize import minimize_scalar

    logits = logits.astype(np.float64)

    def cost(log_t: float) -> float:
        return len(labels) * _negative_log_likelihood(logits / np.exp(log_t), labels) + log_t**2 / (2 * PRIOR**2)

    bound = float(-np.log(LEAST_T))
    found = minimize_scalar(cost, bounds=(-bound, bound), method="bounded", options={"xatol": 1e-5})
    return float(np.exp(found.x)) if found.fun < cost(0.0) else 1.0


def _negative_log_likelihood(logits: np.ndarray, labels: np.ndarray) -> float:
    shifted = logits - logits.max(1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]).mean())
