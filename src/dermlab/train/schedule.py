"""The optimiser and its learning rate: pure functions of the step, so that a resumed run goes on as if never stopped."""

import math

import numpy as np
import torch
from torch import nn

from dermlab.train.params import TrainParams


def rate_at(step: int, steps: int, warmup: float) -> float:
    """Share of the peak learning rate at `step` of `steps`: linear warm-up over the first `warmup`, then half a cosine."""
    rising = round(steps * warmup)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def adamw(model: nn.Module, params: TrainParams) -> torch.optim.AdamW:
    """Parameters under `head` learn at `head_lr`, the rest at `lr`; biases and norms do not decay (Loshchilov & Hutter 2019)."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            peak = params.head_lr if name.startswith("head.") else params.lr
            decay = params.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((peak, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": members, "lr": peak, "peak": peak, "weight_decay": decay} for (peak, decay), members in groups.items()],
        fused=True,
    )


def set_rate(optimizer: torch.optim.Optimizer, share: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share


def epoch_order(weights: np.ndarray, batch_size: int, seed: tuple[int, ...]) -> np.ndarray:
    """int64: the rows of one epoch, whole batches only (a batch of one row has no variance to normalise by).

    Equal weights: each row at most once, shuffled. Otherwise as many draws with replacement as there are rows, in
    proportion to the weights, by torch's WeightedRandomSampler.
    """
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    rows = len(weights)
    if np.all(weights == weights[0]):
        order = torch.randperm(rows, generator=generator)
    else:
        sampler = torch.utils.data.WeightedRandomSampler(weights.astype(np.float64).tolist(), rows, generator=generator)
        order = torch.tensor(list(sampler))
    return order[: rows // batch_size * batch_size].numpy()
