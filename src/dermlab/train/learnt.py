"""What training changes of a network, which is all that a checkpoint has to hold of it."""

import torch
from torch import nn


def learnt(module: nn.Module) -> dict[str, torch.Tensor]:
    """Copies on the CPU of its state but for frozen parameters."""
    frozen = {name for name, parameter in module.named_parameters(remove_duplicate=False) if not parameter.requires_grad}
    return {name: tensor.detach().cpu().clone() for name, tensor in module.state_dict().items() if name not in frozen}


def restore(module: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """`weights`: as `learnt` gave them of a module with the same frozen parameters."""
    module.load_state_dict({**module.state_dict(), **weights})
