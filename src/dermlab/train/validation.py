"""What an epoch is judged by."""

from dataclasses import dataclass

import numpy as np

from dermlab.scores.counts import count, macro_f1, top1
from dermlab.scores.probabilities import negative_log_likelihood


@dataclass(frozen=True)
class Validation:
    # `top1`, `macro_f1`: over the rows of the target classes, with `other` left out of the ranking, as the headline is scored
    top1: float
    macro_f1: float
    nll: float  # mean negative log-likelihood of all rows, before the temperature

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
    nll = float(negative_log_likelihood(logits.astype(np.float64), labels))
    if not len(truth):
        return Validation(0.0, 0.0, nll)
    counts = count(truth, predicted, other)
    return Validation(float(top1(counts)), float(macro_f1(counts)), nll)
