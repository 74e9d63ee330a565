"""How far a run has come: what a checkpoint holds."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dermlab.train.average import Average
from dermlab.train.checkpoint import read_checkpoint, write_checkpoint
from dermlab.train.learnt import learnt
from dermlab.train.objective import Objective
from dermlab.train.validation import Validation, validate

PHASES = ("frozen", "finetune")
MOST = float(np.finfo(np.float16).max)  # of a feature, as it is kept


@dataclass
class State:
    # `phase`, `epoch`, `step`: epochs finished in this phase, and steps in the epoch after them
    phase: str = "frozen"
    epoch: int = 0
    step: int = 0
    losses: float = 0.0  # the sum over those steps
    # `weights`, `optimizer`, `average`: as that step left them; of the head only while the backbone is frozen
    weights: dict[str, torch.Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    average: dict[str, torch.Tensor] = field(default_factory=dict)
    means: torch.Tensor | None = None  # what the loss remembers of the training rows, through both phases
    # the phase, epoch, score, weights, validation logits and features of the best epoch so far
    best: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)  # one row an epoch, both phases
    predicted: list[torch.Tensor] = field(default_factory=list)  # of the training rows, one an epoch, the one under way included

    def pause(
        self, step: int, losses: float, model: torch.nn.Module, optimizer: torch.optim.Optimizer, average: Average, objective: Objective
    ) -> None:
        """Within an epoch, after `step` of its steps."""
        self.step, self.losses = step, losses
        self.weights, self.average = learnt(model), average.state()
        self.optimizer, self.means = optimizer.state_dict(), objective.state()

    def finish_epoch(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        average: Average,
        objective: Objective,
        train_loss: float,
        logits: np.ndarray,
        features: np.ndarray,
        labels: np.ndarray,
    ) -> Validation:
        """`logits`, `features`: of the average."""
        self.pause(0, 0.0, model, optimizer, average, objective)
        weights = learnt(average.of(model)) if average.decay else self.weights
        return self.judge(weights, train_loss, logits, features, labels)

    def judge(
        self,
        weights: dict[str, torch.Tensor],
        train_loss: float,
        logits: np.ndarray,
        features: np.ndarray,
        labels: np.ndarray,
        **found: float,
    ) -> Validation:
        """Judges an epoch and keeps it if it is the best so far; of two equal ones the earlier. `found`: what else its row is to say."""
        self.epoch += 1
        judged = validate(logits, labels)
        row = {"phase": self.phase, "epoch": self.epoch, "train_loss": train_loss, **asdict(judged), **found}
        self.history.append(row)
        if not self.best or judged.score > self.best["score"]:
            seen = {
                "logits": torch.from_numpy(logits.astype(np.float32)),
                "features": torch.from_numpy(np.clip(features, -MOST, MOST).astype(np.float16)),
            }
            self.best = {**row, "score": judged.score, "step": len(self.history), "weights": weights, **seen}
        return judged

    def begin(self, phase: str) -> None:
        self.phase, self.epoch, self.step, self.losses = phase, 0, 0, 0.0
        self.weights, self.optimizer, self.average = {}, {}, {}

    def write(self, folder: Path) -> None:
        write_checkpoint(folder, {name: getattr(self, name) for name in self.__dataclass_fields__})


def resumed(folder: Path) -> State:
    found = read_checkpoint(folder)
    return State(**found) if found else State()
