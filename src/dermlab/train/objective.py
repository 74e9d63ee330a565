"""What a batch is trained towards."""

import numpy as np
import torch

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

    def hide(self, answers: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        """Some rows as if nothing had been answered, so that the network learns to do without. `draws`: uniform [B] in 0 to 1."""
        return torch.where((draws < self.params.question_dropout)[:, None], self.blank, answers)

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.of_rows(logits, targets).mean()

    def of_rows(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of each row, float32 [B]."""
        return self.loss(logits, targets, self.counts, self.params)
