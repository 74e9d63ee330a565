"""The epochs of a phase. Random numbers come from (seed, phase, epoch, step) alone, so that a run that was killed goes on as if never
stopped."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from dermlab.model.runtime import seed_everything
from dermlab.run.errors import BudgetError, DermlabError
from dermlab.run.progress import progress
from dermlab.run.telemetry import Feed, TrainLog
from dermlab.run.watch import Watch
from dermlab.train.average import Average
from dermlab.train.inputs import Inputs
from dermlab.train.objective import Objective
from dermlab.train.params import Params, TrainParams
from dermlab.train.phases import MAX_GRADIENT, Phase
from dermlab.train.predicted import none_drawn
from dermlab.train.schedule import epoch_order, rate_at, set_rate
from dermlab.train.state import State

LOOKED_AT = 50  # losses and predictions are looked at after so many steps, for reading one waits for the GPU


@dataclass(frozen=True)
class Keeper:
    """What happens to a state that is worth keeping."""

    write: Callable[[], None]  # a checkpoint
    epoch: Callable[[], None]  # what is told of an epoch that has ended
    watch: Watch
    log: TrainLog


def run_phase(phase: Phase, inputs: Inputs, objective: Objective, params: Params, state: State, keeper: Keeper) -> None:
    """The steps that `state` has not done. An epoch ends, on the first process, with its validation in `state` and a checkpoint; within
    one, checkpoints are written when `keeper.watch` says so. Raises BudgetError, DermlabError."""
    knobs, train = params.train, inputs.train
    device = objective.blank.device
    targets, answers = (torch.from_numpy(np.array(a)).to(device) for a in (train.targets, train.answers))
    image_ids = train.table["image_id"].to_numpy()
    steps = len(train) // knobs.batch_size
    process, world = (phase.accelerator.process_index, phase.accelerator.num_processes) if phase.accelerator else (0, 1)
    mine = slice(process * knobs.batch_size // world, (process + 1) * knobs.batch_size // world)
    average = Average(phase.learner, phase.ema, state.average)
    objective.share(phase.accelerator)
    for epoch in range(state.epoch, phase.epochs):
        order = epoch_order(train.weights, knobs.batch_size, (params.seed, phase.number, epoch))
        phase.model.train()
        total = torch.tensor(state.losses, device=device)
        if not state.step:
            state.predicted.append(none_drawn(len(train)))
        unseen = _Steps(phase.name, epoch, image_ids, state.predicted[-1])
        started, before = time.perf_counter(), state.step
        feed = Feed(phase.batches(epoch, order, state.step))
        with progress(f"{phase.title}, epoch {epoch + 1} of {phase.epochs}", len(order), "rows") as meter, _enough_memory(knobs):
            meter.begin_at(state.step * knobs.batch_size)
            for step, (positions, seen) in enumerate(feed, state.step):
                hiding = np.random.default_rng((params.seed, phase.number, epoch, step)).random(knobs.batch_size, np.float32)[mine]
                seed_everything(params.seed, phase.number, epoch, step, process)
                chosen = torch.from_numpy(positions).to(device)
                hidden = objective.hide(answers[chosen], torch.from_numpy(hiding).to(device))
                set_rate(phase.optimizer, rate_at(epoch * steps + step, phase.epochs * steps, knobs.warmup))
                loss, logits = _update(phase, objective, seen, hidden, targets[chosen], chosen)
                logits, rows, losses = _of_all_processes(phase, logits, chosen, loss[None])
                objective.remember(logits, rows)
                average.update(phase.learner)
                total += losses.mean()
                unseen.add(step, positions, loss, rows, logits.argmax(1))
                meter.advance(knobs.batch_size, f"waiting {feed.share:.0%}")
                if keeper.watch.due:
                    unseen.check()
                    state.pause(step + 1, total.item(), phase.learner, phase.optimizer, average, objective)
                    keeper.write()
            unseen.check()
        trained = time.perf_counter() - started
        logits, features = phase.validate(average.of(phase.learner))
        if process == 0:
            keeper.log.epoch(phase.name, epoch + 1, (steps - before) * knobs.batch_size, trained, feed.waited)
            judged = total.item() / steps, logits, features, inputs.val.labels
            state.finish_epoch(phase.learner, phase.optimizer, average, objective, *judged)
            keeper.epoch()
            keeper.write()
        state.step, state.losses = 0, 0.0


def _update(
    phase: Phase, objective: Objective, seen: torch.Tensor, answers: torch.Tensor, targets: torch.Tensor, rows: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of the optimiser on one batch, in passes of `phase.at_once` rows where it does not fit. Returns the batch's loss and the
    logits, [B, K+1], that it came from."""
    phase.optimizer.zero_grad(set_to_none=True)
    passes = list(zip(*(tensor.split(phase.at_once) for tensor in (seen, answers, targets, rows)), strict=True))
    total, predicted = torch.zeros((), device=targets.device), []
    for number, (images, given, truth, which) in enumerate(passes, 1):
        with nullcontext() if number == len(passes) or phase.accelerator is None else phase.accelerator.no_sync(phase.model):
            with phase.around():
                logits = phase.model(images, given)
            loss = objective(logits, truth, which) * (len(truth) / len(targets))
            if phase.accelerator is None:
                loss.backward()
            else:
                phase.accelerator.backward(loss)
        total += loss.detach()
        predicted.append(logits.detach())
    if phase.accelerator is not None:
        phase.accelerator.clip_grad_norm_(phase.model.parameters(), MAX_GRADIENT)
    phase.optimizer.step()
    return total, torch.cat(predicted)


def _of_all_processes(phase: Phase, *of_mine: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """What is of the rows of this process, [B / processes, ...], of those of the whole batch."""
    return of_mine if phase.accelerator is None else phase.accelerator.gather(of_mine)


class _Steps:
    """Losses and predictions of some steps, looked at together. `predicted`: int16 [N], the epoch's, which is filled in."""

    def __init__(self, phase: str, epoch: int, image_ids: np.ndarray, predicted: torch.Tensor) -> None:
        self.where, self.image_ids, self.predicted = f"{phase} epoch {epoch + 1}", image_ids, predicted
        self._steps: list[tuple[int, np.ndarray, torch.Tensor]] = []
        self._rows: list[tuple[torch.Tensor, torch.Tensor]] = []

    def add(self, step: int, positions: np.ndarray, loss: torch.Tensor, rows: torch.Tensor, predicted: torch.Tensor) -> None:
        """`positions`: of this process alone, as the loss; `rows`, `predicted`: int64 [B], of the whole batch."""
        self._steps.append((step, positions, loss))
        self._rows.append((rows, predicted))
        if len(self._steps) == LOOKED_AT:
            self.check()

    def check(self) -> None:
        """Raises DermlabError naming the rows of the first batch whose loss is not finite."""
        steps, self._steps = self._steps, []
        losses = torch.stack([loss for _, _, loss in steps]).cpu().numpy() if steps else np.zeros(0)
        for (step, positions, _), loss in zip(steps, losses, strict=True):
            if not np.isfinite(loss):
                raise DermlabError(
                    f"train, {self.where}, step {step + 1}: the loss is {loss}. Lower train.lr and train.head_lr, or look at the rows of "
                    f"this batch: {', '.join(self.image_ids[positions])}."
                )
        if steps:
            rows, predicted = (torch.cat(of).cpu().numpy() for of in zip(*self._rows, strict=True))
            self._rows = []
            self.predicted.numpy()[rows] = predicted  # of a row drawn twice, the later one


@contextmanager
def _enough_memory(knobs: TrainParams) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise BudgetError(
            f"The GPU's memory is too small for batches of {knobs.batch_size} (train.batch_size). Lower it, lower "
            "train.trainable_blocks, or take more GPUs (machine.gpus)."
        ) from error
