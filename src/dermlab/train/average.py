"""The average of the weights over the steps, which is often better than where the last step happened to end (Polyak & Juditsky 1992)."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dermlab.train.learnt import learnt, restore


class Average:
    """An exponential moving average of the weights of `model`, with `decay` a step: torch's AveragedModel. With a decay of 0 there is
    none, and `of` gives the model itself."""

    def __init__(self, model: nn.Module, decay: float, state: dict[str, torch.Tensor] | None = None) -> None:
        self.decay = decay
        self._averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay)) if decay else None
        if self._averaged is not None and state:
            restore(self._averaged, state)

    def update(self, model: nn.Module) -> None:
        if self._averaged is not None:
            self._averaged.update_parameters(model)

    def of(self, model: nn.Module) -> nn.Module:
        return model if self._averaged is None else self._averaged.module

    def state(self) -> dict[str, torch.Tensor]:
        """What was learnt; empty where there is no average."""
        return {} if self._averaged is None else learnt(self._averaged)
