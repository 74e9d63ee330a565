"""Losses by name. Each takes logits [B, K+1], targets [B, K+1] and `counts` [K+1], the training rows of each class, and gives the loss
of each row, float32 [B].

A row of `targets` is a distribution d over the classes, one-hot for a row of one label, and every loss is linear in it: a row of two labels
costs what the labels would, in their proportion. Label smoothing e (Szegedy et al. 2016) composes with each: t = (1 - e) d + e / (K+1). A
class without a training row counts as one row, so that no prior is zero and no loss infinite.
"""

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F


class Knobs(Protocol):
    """Of `train.params.TrainParams`, what a loss depends on."""

    label_smoothing: float
    focal_gamma: float
    logit_tau: float
    gce_q: float
    elr_lambda: float
    elr_beta: float


CERTAIN = 1e-4  # of `elr`, how near to 0 and 1 a probability comes

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Knobs], torch.Tensor]


def _smoothed(targets: torch.Tensor, params: Knobs) -> torch.Tensor:
    return targets * (1 - params.label_smoothing) + params.label_smoothing / targets.shape[1]


def _prior(counts: torch.Tensor) -> torch.Tensor:
    counts = counts.float().clamp(min=1)
    return counts / counts.sum()


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, params: Knobs) -> torch.Tensor:
    """- sum_k t_k log p_k, p = softmax(logits)."""
    return -(_smoothed(targets, params) * F.log_softmax(logits.float(), dim=1)).sum(1)


def focal(logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, params: Knobs) -> torch.Tensor:
    """- sum_k t_k (1 - p_k)^gamma log p_k. Lin et al. 2017, Focal Loss for Dense Object Detection, eq. 4, with softmax."""
    log_p = F.log_softmax(logits.float(), dim=1)
    weight = (-torch.expm1(log_p)).clamp(min=1e-8) ** params.focal_gamma  # clamp: the gradient of 0^gamma, gamma < 1
    return -(_smoothed(targets, params) * weight * log_p).sum(1)


def binary_cross_entropy(logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, params: Knobs) -> torch.Tensor:
    """- sum_k t_k log s_k + (1 - t_k) log(1 - s_k), s = sigmoid(logits): one binary question a class, summed over the
    classes. Ranking and argmax are those of the softmax that prediction uses."""
    return F.binary_cross_entropy_with_logits(logits.float(), _smoothed(targets, params), reduction="none").sum(1)


def balanced_softmax(logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, params: Knobs) -> torch.Tensor:
    """- sum_k t_k log p_k, p_k = n_k exp(z_k) / sum_i n_i exp(z_i). Ren et al. 2020, Balanced Meta-Softmax, eq. 3: the prior of the
    training rows is put in while training and is absent when predicting."""
    return cross_entropy(logits.float() + _prior(counts).log(), targets, counts, params)


def logit_adjusted(logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, params: Knobs) -> torch.Tensor:
    """- sum_k t_k log p_k, p = softmax(z + tau log prior). Menon et al. 2021, Long-Tail Learning via Logit Adjustment, eq. 10. With
    tau = 1 it is the balanced softmax, with tau = 0 the cross entropy."""
    return cross_entropy(logits.float() + params.logit_tau * _prior(counts).log(), targets, counts, params)


def generalised_cross_entropy(logits: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor, params: Knobs) -> torch.Tensor:
    """sum_k t_k (1 - p_k^q) / q. Zhang & Sabuncu 2018, Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels,
    eq. 6. As q goes to 0 it becomes the cross entropy, with q = 1 it is the mean absolute error, which no wrong label can make large."""
    power = params.gce_q * F.log_softmax(logits.float(), dim=1)
    return -(_smoothed(targets, params) * torch.expm1(power)).sum(1) / params.gce_q


class EarlyLearning:
    """The term of early-learning regularisation: lambda log(1 - <m_i, p_i>), the mean over the batch, to be added to a loss. Liu et al.
    2020, Early-Learning Regularization Prevents Memorization of Noisy Labels, eq. 6, with p kept from 0 and 1 as in the authors' code.

    m_i is the running average of what was predicted of row i whenever it was drawn, beta m_i + (1 - beta) p_i (eq. 9). A network
    learns right labels before it learns wrong ones by heart: the term holds it to what it predicted early.
    """

    def __init__(self, means: torch.Tensor, params: Knobs) -> None:
        """means: float32 [N, K+1], the averages of the training rows; 0 where a row was never drawn."""
        self.means, self.params = means, params

    def __call__(self, logits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """logits: [B, K+1]; rows: int64 [B], of the batch."""
        p = self._probabilities(logits)
        return self.params.elr_lambda * torch.log1p(-(self._moved(p.detach(), rows) * p).sum(1)).mean()

    def remember(self, logits: torch.Tensor, rows: torch.Tensor) -> None:
        """After a step, of the whole batch. A row that was drawn twice gets the mean, whichever process or pass had it."""
        times = torch.bincount(rows, minlength=len(self.means))[rows]
        moved = self._moved(self._probabilities(logits), rows) / times[:, None]
        self.means.index_fill_(0, rows, 0).index_add_(0, rows, moved)

    def _probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        return F.softmax(logits.float(), dim=1).clamp(CERTAIN, 1 - CERTAIN)

    def _moved(self, p: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        beta = self.params.elr_beta
        return beta * self.means[rows] + (1 - beta) * p / p.sum(1, keepdim=True)


LOSSES: dict[str, Loss] = {
    "ce": cross_entropy,
    "focal": focal,
    "bce": binary_cross_entropy,
    "balanced_softmax": balanced_softmax,
    "logit_adjusted": logit_adjusted,
    "gce": generalised_cross_entropy,
    "elr": cross_entropy,  # to which the objective adds `EarlyLearning`, which has to know the rows
}
