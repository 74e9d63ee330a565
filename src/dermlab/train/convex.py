"""The head of the frozen phase by a convex solver: seconds instead of epochs, and no rate, order of batches or dropout that the end depends
on. Its penalty is chosen on validation.

N training rows, D features, U units of the questionnaire, C = K+1 outputs.
"""

import time

import numpy as np
import torch

from dermlab.model.classifier import Head
from dermlab.model.logistic import PENALTIES, FeatureBlocks, Fitted, Part, best_penalty, curvature_of, fit, spread_of, threads_for
from dermlab.run.errors import DermlabError
from dermlab.run.progress import progress, say
from dermlab.train.inputs import Inputs, Rows
from dermlab.train.learnt import learnt
from dermlab.train.loop import Keeper
from dermlab.train.objective import Objective
from dermlab.train.params import Params
from dermlab.train.state import State


def solve_head(head: Head, inputs: Inputs, params: Params, objective: Objective, state: State, keeper: Keeper) -> None:
    """Phase one as one epoch of `state`, unless that has it. Each penalty that is tried is searched for from where the one nearest to it
    ended; the head of the least loss of the validation rows is judged as an epoch is. Raises DermlabError.

    What is minimised is what batches are trained on, expected: each row counts by its weight, and twice, as answered and with the
    questionnaire hidden, in the proportion of `question_dropout`. The problem is convex in the last layer alone: that of the questionnaire
    hands the answers on.
    """
    if state.epoch or not params.train.frozen_epochs:
        return
    _check_finite(inputs)
    started, device, val = time.perf_counter(), objective.blank.device, inputs.val
    features, answers, targets = (torch.from_numpy(np.array(a)).to(device) for a in (val.features, val.answers, val.targets))
    head.to(device).eval()
    head.fit_standardise(torch.from_numpy(np.array(inputs.train.features)).to(device))
    weights = torch.from_numpy(weights_like_drawn(inputs)).to(device)
    solved: dict[float, Fitted] = {}
    with torch.no_grad(), threads_for(inputs.train.features.size), progress("Fitting the head", len(PENALTIES), "penalties") as meter:
        rows = FusedRows(head, inputs.train, params, objective)
        curvature = curvature_of(rows)

        def validation_loss(l2: float) -> float:
            nearest = min(solved, key=lambda other: abs(np.log(other / l2)), default=None)
            solved[l2] = fit(rows, rows.loss, targets.shape[1], l2, curvature, solved[nearest].solution if solved else None)
            rows.put_into(head, solved[l2])
            meter.advance()
            return float((weights * objective.of_rows(head(features, answers), targets)).mean())

        penalty = best_penalty(validation_loss)
        best = solved[penalty]
        rows.put_into(head, best)
        of_train = rows.logits(best.weights, best.intercept)
        train_loss = float(rows.loss(of_train)[0]) / rows.count
        state.predicted.append(of_train[: rows.count].argmax(1).to(torch.int16).cpu())
        logits = head(features, answers)
    say(f"train: the head by L-BFGS, penalty {penalty:g} on standardised features, of {len(solved)} tried")
    keeper.log.epoch("frozen", 1, rows.count, time.perf_counter() - started, 0.0)
    state.judge(learnt(head), train_loss, logits.cpu().numpy(), features.float().cpu().numpy(), val.labels, l2=penalty)
    keeper.epoch()
    keeper.write()


def weights_like_drawn(inputs: Inputs) -> np.ndarray:
    """float32 [rows of validation]: with these its classes have the proportions that training draws, which the penalty is to suit."""
    held = inputs.train.targets.sum(axis=0)
    return (inputs.val.targets @ (inputs.counts / np.where(held > 0, held, 1))).astype(np.float32)


def _check_finite(inputs: Inputs) -> None:
    for rows in (inputs.train, inputs.val):
        strange = ~np.isfinite(rows.features.sum(axis=1, dtype=np.float32))
        if strange.any():
            first = rows.table["image_id"].iat[int(strange.argmax())]
            raise DermlabError(f"train: {strange.sum()} rows have features that are no numbers (first: {first}). Run `dvc repro embed`.")


def hand_answers_on(layer: torch.nn.Linear, answers: torch.Tensor, blank: torch.Tensor) -> int:
    """Sets the questionnaire's layer so that, through the ReLU behind it, its first units are linear in the answers. Returns their number.

    They are the principal components of the standardised answers [N, Q], raised until none is below zero for any row, nor for `blank`.
    Where Q is no more than there are units, they hold all; the units left over stay as they were drawn.
    """
    deviation = spread_of(answers)[1].double()
    directions = torch.linalg.eigh(torch.cov((answers.double() / deviation).T))[1].flip(1)[:, : layer.out_features]
    weight = directions / deviation[:, None]
    used = weight.shape[1]
    layer.weight[:used] = weight.T.float()
    layer.bias[:used] = -(torch.cat([answers, blank[None]]).double() @ weight).amin(0).float()
    return used


class FusedRows:
    """The head's inputs as a `Design`, and their loss. Logits are of each row as answered and, behind these, where a share of the
    questionnaires is hidden, of each row without; the photos' products are the same and made once."""

    def __init__(self, head: Head, train: Rows, params: Params, objective: Objective) -> None:
        device, answers = objective.blank.device, torch.from_numpy(train.answers).to(objective.blank.device)
        hidden = params.train.question_dropout if head.questions else 0.0
        self.blocks = FeatureBlocks(train.features, np.arange(len(train)), np.array([0, len(train)]), params.train.precision == "fp32")
        self.photos = Part(self.blocks, [0])
        self.count, self.tolerance = self.photos.count, self.photos.tolerance
        self.views = [answers]
        if head.questions:
            units = hand_answers_on(head.questions[0], answers, objective.blank)
            seen = [answers, objective.blank.expand_as(answers)] if hidden else [answers]
            self.views = [head.questions(of)[:, :units] for of in seen]
        mean = self.views[0].mean(0)
        self.mean = torch.cat([self.photos.mean, mean])
        self.deviation = torch.cat([self.photos.deviation, torch.ones_like(mean)])  # the answers' own deviations are in the units
        drawn = torch.from_numpy(train.weights / train.weights.mean()).to(device)
        self._weights = torch.cat([share * drawn for share in (1 - hidden, hidden)[: len(self.views)]])
        self._targets = torch.from_numpy(np.array(train.targets)).to(device).repeat(len(self.views), 1)
        self._objective = objective

    def loss(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits.requires_grad_()
        with torch.enable_grad():
            total = (self._weights * self._objective.of_rows(logits, self._targets)).sum()
        return total.detach(), torch.autograd.grad(total, logits)[0]

    def logits(self, weights: torch.Tensor, intercept: torch.Tensor) -> torch.Tensor:
        width = len(self.photos.mean)
        of_photos = self.photos.logits(weights[:width], intercept)
        return torch.cat([of_photos + units @ weights[width:] for units in self.views])

    def gradient(self, residual: torch.Tensor) -> torch.Tensor:
        parts = residual.split(self.count)
        of_units = sum(units.T @ part for units, part in zip(self.views, parts, strict=True))
        return torch.cat([self.photos.gradient(sum(parts)), of_units])

    def sample(self, rows: int) -> torch.Tensor:
        step = max(1, self.count // rows)
        return torch.cat([self.photos.sample(rows), self.views[0][::step]], dim=1)

    def put_into(self, head: Head, fitted: Fitted) -> None:
        """Whose inputs are standardised by all training features, and not as the design holds them."""
        weights, bias = fitted.weights.double(), fitted.intercept.double()
        width, seen = len(self.photos.mean), head.standardise
        shift, scale = (torch.from_numpy(of).to(weights) for of in (self.blocks.shift, self.blocks.scale))
        of_features = weights[:width] / scale[:, None]
        bias = bias + (seen.running_mean.double() - shift) @ of_features
        of_features = of_features * (seen.running_var.double() + seen.eps).sqrt()[:, None]
        head.linear.weight.zero_()  # units that are left over say nothing yet
        head.linear.weight[:, : len(weights)] = torch.cat([of_features, weights[width:]]).T.float()
        head.linear.bias.copy_(bias)
