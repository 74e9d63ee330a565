"""What a batch is trained towards."""

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast

from dermlab.model.questionnaire import unanswered
from dermlab.train.inputs import Inputs
from dermlab.train.losses import LOSSES, EarlyLearning
from dermlab.train.params import Params


class Objective:
    """The loss of a batch, with the questionnaire of some rows hidden; for `elr`, what is remembered of each row, through both phases: a
    head on frozen features learns little by heart, and what it predicts is the early learning that fine-tuning is to be held to."""

    def __init__(self, params: Params, inputs: Inputs, device: torch.device, means: torch.Tensor | None = None) -> None:
        """`means`: of `EarlyLearning`, as a checkpoint has them; None: from the start."""
        self.loss, self.params = LOSSES[params.loss], params.train
        self.counts = torch.from_numpy(inputs.counts).to(device)
        self.blank = torch.from_numpy(unanswered(inputs.questions)).to(device)
        self._early = None
        if params.loss == "elr":
            means = torch.zeros(len(inputs.train), len(inputs.classes.names)) if means is None else means
            self._early = EarlyLearning(means.to(device), params.train)

    def hide(self, answers: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        """Some rows as if nothing had been answered, so that the network learns to do without. `draws`: uniform [B] in 0 to 1."""
        return torch.where((draws < self.params.question_dropout)[:, None], self.blank, answers)

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """`rows`: int64 [B], which training rows these are."""
        loss = self.loss(logits, targets, self.counts, self.params)
        return loss if self._early is None else loss + self._early(logits, rows)

    def share(self, accelerator: Accelerator | None) -> None:
        """Gives every process what the first one remembers, which alone trained the head."""
        if self._early is not None and accelerator is not None:
            broadcast(self._early.means)

    def remember(self, logits: torch.Tensor, rows: torch.Tensor) -> None:
        """After a step, of the rows of all processes."""
        if self._early is not None:
            self._early.remember(logits, rows)

    def state(self) -> torch.Tensor | None:
        """A copy on the CPU of what a checkpoint has to hold."""
        return None if self._early is None else self._early.means.cpu().clone()
