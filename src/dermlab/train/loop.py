"""The epochs of a phase. Random numbers come from (seed, phase, epoch) alone, so that a run that was killed goes on as if never stopped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from dermlab.data.errors import BudgetError
from dermlab.data.progress import progress
from dermlab.model.runtime import seed_everything
from dermlab.train.inputs import Inputs
from dermlab.train.objective import Objective
from dermlab.train.params import Params, TrainParams
from dermlab.train.phases import MAX_GRADIENT, Phase
from dermlab.train.schedule import epoch_order, rate_at, set_rate
from dermlab.train.state import State


def run_phase(phase: Phase, inputs: Inputs, objective: Objective, params: Params, state: State, finished: Callable[[], None]) -> None:
    """The epochs that `state` has not finished. Each ends, on the first process, with its validation in `state` and a call of `finished`.
    Raises BudgetError, DermlabError."""
    knobs, train = params.train, inputs.train
    device = objective.blank.device
    labels, answers = (torch.from_numpy(a).to(device) for a in (train.labels, train.answers))
    image_ids = train.table["image_id"].to_numpy()
    steps = len(train) // knobs.batch_size
    process = phase.accelerator.process_index if phase.accelerator else 0
    for epoch in range(state.epoch, phase.epochs):
        seed_everything(params.seed, phase.number, epoch, process)
        order = epoch_order(train.weights, knobs.batch_size, (params.seed, phase.number, epoch))
        phase.model.train()
        total = torch.zeros((), device=device)
        with progress(f"{phase.title}, epoch {epoch + 1} of {phase.epochs}", len(order), "rows") as meter, _enough_memory(knobs):
            for step, (positions, seen) in enumerate(phase.batches(epoch, order)):
                chosen = torch.from_numpy(positions).to(device)
                set_rate(phase.optimizer, rate_at(epoch * steps + step, phase.epochs * steps, knobs.warmup))
                logits = phase.model(seen, objective.hide(answers[chosen]))
                loss = objective(logits, labels[chosen], image_ids[positions], f"{phase.name} epoch {epoch + 1}, step {step + 1}")
                _update(phase, loss)
                total += loss.detach()
                meter.advance(knobs.batch_size)
        logits = phase.validate()
        mean = phase.accelerator.reduce(total, "mean") if phase.accelerator else total
        if process == 0:
            state.finish_epoch(phase.learner, phase.optimizer, mean.item() / steps, logits, inputs.val.labels)
            finished()


def _update(phase: Phase, loss: torch.Tensor) -> None:
    phase.optimizer.zero_grad(set_to_none=True)
    if phase.accelerator is None:
        loss.backward()
    else:
        phase.accelerator.backward(loss)
        phase.accelerator.clip_grad_norm_(phase.model.parameters(), MAX_GRADIENT)
    phase.optimizer.step()


@contextmanager
def _enough_memory(knobs: TrainParams) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise BudgetError(
            f"The GPU's memory is too small for batches of {knobs.batch_size} (train.batch_size). Lower it, lower "
            "train.trainable_blocks, or take more GPUs (torchrun)."
        ) from error
