"""Optimizers without the marks that torch sets for its compiler. At the first of them a process imports the compiler, two seconds, only to
say that it is to leave this alone; nothing here compiles a step of an optimizer.
"""

import inspect
from typing import TypeVar

import torch

Kind = TypeVar("Kind", bound=torch.optim.Optimizer)
MARKED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def eager(optimizer: type[Kind]) -> type[Kind]:
    """The same optimizer, unmarked."""
    plain = {name: inspect.unwrap(getattr(optimizer, name)) for name in MARKED}
    return type(optimizer.__name__, (optimizer,), {**plain, "step": torch.no_grad()(inspect.unwrap(optimizer.step))})
