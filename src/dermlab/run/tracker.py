"""An experiment tracker beside DVC, for those who have one: whatever has wandb's `init`, `log` and `finish`."""

import importlib
import os
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from dermlab.run.errors import ParamsError
from dermlab.run.progress import say

PROJECT = "dermlab"


class Tracker:
    """`name`: a module (`wandb`, `trackio`) or `none`. It is told the params and, epoch by epoch, the numbers of metrics/train/: no row, no
    photo, no path. `run` identifies this training, so that one which goes on after an interruption goes on there too. A tracker that fails
    later costs no training: it is said once, and the rest is not tracked. Raises ParamsError where the module is not
    installed or cannot start."""

    def __init__(self, name: str, params: Mapping[str, Any], run: str) -> None:
        self._name, self._module = name, None
        if name == "none":
            return
        try:
            self._module = importlib.import_module(name)
        except ImportError:
            raise ParamsError(f"machine.tracker: {name} is not installed here. `pip install {name}`, or set none.") from None
        try:
            experiment = os.environ.get("DVC_EXP_NAME") or "workspace"
            same = {"id": run} if name == "wandb" else {}  # trackio knows a run by its name
            self._module.init(project=PROJECT, name=f"{experiment}-{run}", config=dict(params), resume="allow", **same)
        except Exception as error:  # each has its own
            raise ParamsError(
                f"machine.tracker: {name} cannot start ({type(error).__name__}: {error}). Log in to it, or set none."
            ) from error

    def log(self, row: Mapping[str, float]) -> None:
        self._try("log", dict(row))

    def end(self) -> None:
        self._try("finish")

    def _try(self, what: str, *arguments: object) -> None:
        module: ModuleType | None = self._module
        if module is None:
            return
        try:
            getattr(module, what)(*arguments)
        except Exception as error:  # each has its own, and none is worth an epoch
            self._module = None
            say(f"train: {self._name} failed ({type(error).__name__}); the run goes on untracked")
