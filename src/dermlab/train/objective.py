"""What a batch is trained towards."""

from collections.abc import Sequence

import numpy as np
import torch

from dermlab.data.errors import DermlabError
from dermlab.data.questionnaire import Questionnaire
from dermlab.model.questionnaire import unanswered
from dermlab.train.losses import LOSSES
from dermlab.train.params import Params


class Objective:
    """The loss of a batch, with the questionnaire of some rows hidden. `counts`: [K+1], the training rows of each class as drawn."""

    def __init__(self, params: Params, counts: np.ndarray, questions: Questionnaire, device: torch.device) -> None:
        self.loss, self.params = LOSSES[params.loss], params.train
        self.counts = torch.from_numpy(counts).to(device)
        self.blank = torch.from_numpy(unanswered(questions)).to(device)

    def hide(self, answers: torch.Tensor) -> torch.Tensor:
        """Some rows as if nothing had been answered, so that the network learns to do without."""
        hidden = torch.rand(len(answers), 1, device=answers.device) < self.params.question_dropout
        return torch.where(hidden, self.blank, answers)

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, image_ids: Sequence[str], where: str) -> torch.Tensor:
        """Raises DermlabError naming the batch where the loss is not finite."""
        loss = self.loss(logits, labels, self.counts, self.params)
        if not torch.isfinite(loss):
            raise DermlabError(
                f"train, {where}: the loss is {loss.item()}. Lower train.lr and train.head_lr, or look at the rows of this batch: "
                f"{', '.join(image_ids)}."
            )
        return loss
