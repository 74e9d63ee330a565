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


LOSSES: dict[str, Loss] = {
    "ce": cross_entropy,
    "focal": focal,
    "bce": binary_cross_entropy,
    "balanced_softmax": balanced_softmax,
    "logit_adjusted": logit_adjusted,
}
