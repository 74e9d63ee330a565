"""The optimiser and its learning rate: pure functions of the step, so that a resumed run goes on as if never stopped."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn

from dermlab.model.backbones import PROJECTION
from dermlab.model.optimizers import eager
from dermlab.train.params import TrainParams


def rate_at(step: int, steps: int, warmup: float) -> float:
    """Share of the peak learning rate at `step` of `steps`: linear warm-up over the first `warmup`, then half a cosine."""
    rising = round(steps * warmup)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def adamw(model: nn.Module, params: TrainParams, blocks: Sequence[str] = ()) -> torch.optim.AdamW:
    """Parameters under `head` learn at `head_lr`, the rest at `peak_rates`; biases and norms do not decay (Loshchilov & Hutter 2019)."""
    rates = peak_rates([name for name, _ in model.named_parameters()], params, blocks)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = params.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rates[name], decay), []).append(parameter)
    return eager(torch.optim.AdamW)(
        [{"params": members, "lr": peak, "peak": peak, "weight_decay": decay} for (peak, decay), members in groups.items()],
        fused=True,
    )


def peak_rates(names: Iterable[str], params: TrainParams, blocks: Sequence[str] = ()) -> dict[str, float]:
    """Peak learning rate of each parameter: `head_lr` under `head`; elsewhere `lr` in the last of `blocks` and after them, `layer_decay`
    times as much in each block before (Clark et al. 2020; Bao et al. 2022), what lies before the first block like another one.

    `blocks`: names of the backbone's blocks within the model, from input to output.
    """
    depth, seen, rates, last = len(blocks), 0, {}, f"backbone.trunk.{PROJECTION}"
    for name in names:
        at = next((i for i, block in enumerate(blocks) if name.startswith(block + ".")), None)
        seen = seen if at is None else at + 1
        if name.startswith("head."):
            rates[name] = params.head_lr
        elif at is not None:
            rates[name] = params.lr * params.layer_decay ** (depth - 1 - at)
        else:
            rates[name] = params.lr * params.layer_decay ** (0 if seen or name == last else depth)
    return rates


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
