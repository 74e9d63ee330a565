"""What a batch is trained towards."""

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast

from dermlab.data.questionnaire import Questionnaire
from dermlab.model.questionnaire import unanswered
from dermlab.train.losses import LOSSES, EarlyLearning
from dermlab.train.params import Params


class Objective:
    """The loss of a batch, with the questionnaire of some rows hidden; for `elr`, what is remembered of each row, through both phases: a
    head on frozen features learns little by heart, and what it predicts is the early learning that fine-tuning is to be held to."""

    def __init__(
        self,
        params: Params,
        counts: np.ndarray,
        questions: Questionnaire,
        device: torch.device,
        rows: int = 0,
        means: torch.Tensor | None = None,
    ) -> None:
        """`counts`: [K+1], the training rows of each class as drawn; `rows`: all that are trained on. `means`: of `EarlyLearning`, as a
        checkpoint has them; None: from the start."""
        self.loss, self.params = LOSSES[params.loss], params.train
        self.counts = torch.from_numpy(counts).to(device)
        self.blank = torch.from_numpy(unanswered(questions)).to(device)
        self._early = None
        if params.loss == "elr":
            means = torch.zeros(rows, len(counts)) if means is None else means
            self._early = EarlyLearning(means.to(device), params.train)

    def hide(self, answers: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        """Some rows as if nothing had been answered, so that the network learns to do without. `draws`: uniform [B] in 0 to 1."""
        return torch.where((draws < self.params.question_dropout)[:, None], self.blank, answers)

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """`rows`: int64 [B], which training rows these are."""
        loss = self.of_rows(logits, targets).mean()
        return loss if self._early is None else loss + self._early(logits, rows)

    def of_rows(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of each row, float32 [B], but for what is remembered."""
        return self.loss(logits, targets, self.counts, self.params)

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
