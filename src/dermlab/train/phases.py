"""The two phases: a head on cached features, then the network end to end on augmented images.

Both take their random numbers from (seed, phase, epoch) alone, and leave a checkpoint after every epoch.
"""

from collections.abc import Callable

import numpy as np
import torch
from accelerate import Accelerator

from dermlab.data.errors import BudgetError, DermlabError, ParamsError
from dermlab.data.progress import progress
from dermlab.model.classifier import FusedClassifier, Head
from dermlab.model.images import ImageDataset, loader
from dermlab.model.predict import over_images
from dermlab.model.questionnaire import unanswered
from dermlab.model.runtime import Runtime, seed_everything
from dermlab.train.inputs import Inputs, Rows
from dermlab.train.losses import LOSSES
from dermlab.train.memory import checkpoint_if_needed
from dermlab.train.params import Params
from dermlab.train.schedule import adamw, epoch_order, rate_at, set_rate
from dermlab.train.state import State

FROZEN, FINETUNE = 1, 2
MAX_GRADIENT = 1.0  # norm to which gradients of the whole network are clipped


class Objective:
    """The loss of a batch, with the questionnaire of some rows hidden. Raises DermlabError where it is not finite."""

    def __init__(self, params: Params, inputs: Inputs, device: torch.device) -> None:
        self.loss, self.params = LOSSES[params.loss], params.train
        self.counts = torch.from_numpy(inputs.counts).to(device)
        self.blank = torch.from_numpy(unanswered(inputs.questions)).to(device)

    def hide(self, answers: torch.Tensor) -> torch.Tensor:
        """Some rows as if nothing had been answered, so that the network learns to do without."""
        hidden = torch.rand(len(answers), 1, device=answers.device) < self.params.question_dropout
        return torch.where(hidden, self.blank, answers)

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, rows: Rows, positions: np.ndarray, where: str) -> torch.Tensor:
        loss = self.loss(logits, labels, self.counts, self.params)
        if not torch.isfinite(loss):
            ids = ", ".join(rows.table["image_id"].iloc[positions])
            raise DermlabError(
                f"train, {where}: the loss is {loss.item()}. Lower train.lr and train.head_lr, or look at the rows of this batch: {ids}."
            )
        return loss


def train_head(head: Head, params: Params, inputs: Inputs, runtime: Runtime, state: State, finished: Callable[[State], None]) -> None:
    """Phase one, on features that `embed` cached: no image is decoded."""
    epochs, batch_size = params.train.frozen_epochs, params.train.batch_size
    device, train = runtime.device, inputs.train
    head.to(device)
    features, answers, labels = (torch.from_numpy(np.array(a)).to(device) for a in (train.features, train.answers, train.labels))
    held_out = [torch.from_numpy(np.array(a)).to(device) for a in (inputs.val.features, inputs.val.answers)]
    optimizer = adamw(torch.nn.ModuleDict({"head": head}), params.train)
    if state.weights:
        head.load_state_dict(state.weights)
        optimizer.load_state_dict(state.optimizer)
    else:  # a few steps of a moving average would still be near 0 and 1
        head.standardise.running_mean.copy_(features.float().mean(0))
        head.standardise.running_var.copy_(features.float().var(0))
    objective, per_epoch = Objective(params, inputs, device), len(train) // batch_size
    with progress("Training the head", (epochs - state.epoch) * per_epoch * batch_size, "rows") as meter:
        for epoch in range(state.epoch, epochs):
            seed_everything(params.seed, FROZEN, epoch)
            order = epoch_order(train.weights, batch_size, (params.seed, FROZEN, epoch))
            head.train()
            total = torch.zeros((), device=device)
            for step, positions in enumerate(order.reshape(-1, batch_size)):
                chosen = torch.from_numpy(positions).to(device)
                set_rate(optimizer, rate_at(epoch * per_epoch + step, epochs * per_epoch, params.train.warmup))
                logits = head(features[chosen], objective.hide(answers[chosen]))
                loss = objective(logits, labels[chosen], train, positions, f"frozen epoch {epoch + 1}, step {step + 1}")
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                total += loss.detach()
                meter.advance(batch_size)
            head.eval()
            with torch.inference_mode():
                logits = head(*held_out).float().cpu().numpy()
            state.finish_epoch(head, optimizer, total.item() / per_epoch, logits, inputs.val.labels)
            finished(state)


def finetune(
    module: FusedClassifier,
    params: Params,
    inputs: Inputs,
    runtime: Runtime,
    accelerator: Accelerator,
    state: State,
    finished: Callable[[State], None],
) -> None:
    """Phase two, end to end. Under torchrun every process takes its part of each batch, so that the recipe means the same on one
    process or many. Raises ParamsError, BudgetError, DermlabError."""
    knobs, train, world = params.train, inputs.train, accelerator.num_processes
    if knobs.batch_size % world or knobs.batch_size // world < 2:
        raise ParamsError(f"train.batch_size: {knobs.batch_size} cannot be shared by {world} processes. Take a multiple, 2 or more each.")
    share = knobs.batch_size // world
    module.backbone.train_last(knobs.trainable_blocks)
    module.to(runtime.device, memory_format=torch.channels_last).train()
    if state.weights:
        module.load_state_dict(state.weights)
    checkpoint_if_needed(module.backbone, inputs.image_size, share, runtime.device, runtime.train_dtype)
    optimizer = adamw(module, knobs)
    if state.optimizer:
        optimizer.load_state_dict(state.optimizer)
    model, optimizer = accelerator.prepare(module, optimizer)
    objective, per_epoch = Objective(params, inputs, runtime.device), len(train) // knobs.batch_size
    answers, labels = torch.from_numpy(train.answers), torch.from_numpy(train.labels)
    for epoch in range(state.epoch, knobs.finetune_epochs):
        seed_everything(params.seed, FINETUNE, epoch, accelerator.process_index)
        order = epoch_order(train.weights, knobs.batch_size, (params.seed, FINETUNE, epoch))
        draws = np.arange(len(order)).reshape(-1, world, share)[:, accelerator.process_index].ravel()
        dataset = ImageDataset(train.table.iloc[order], inputs.shards, inputs.image_size, augment=(params.seed, epoch))
        batches = loader(dataset, draws.tolist(), share, inputs.loaders, drop_last=True)
        model.train()
        total = torch.zeros((), device=runtime.device)
        try:
            with progress(f"Fine-tuning, epoch {epoch + 1} of {knobs.finetune_epochs}", len(order)) as meter:
                for step, (drawn, images) in enumerate(batches):
                    positions = order[drawn.numpy()]
                    set_rate(optimizer, rate_at(epoch * per_epoch + step, knobs.finetune_epochs * per_epoch, knobs.warmup))
                    logits = model(images.to(runtime.device, non_blocking=True), objective.hide(answers[positions].to(runtime.device)))
                    where = f"fine-tuning epoch {epoch + 1}, step {step + 1}"
                    loss = objective(logits, labels[positions].to(runtime.device), train, positions, where)
                    optimizer.zero_grad(set_to_none=True)
                    accelerator.backward(loss)
                    accelerator.clip_grad_norm_(model.parameters(), MAX_GRADIENT)
                    optimizer.step()
                    total += loss.detach()
                    meter.advance(knobs.batch_size)
        except torch.OutOfMemoryError as error:
            raise BudgetError(
                f"The GPU's memory is too small for {share} images of {inputs.image_size} px. Lower train.batch_size or "
                "train.trainable_blocks."
            ) from error
        logits = validation_logits(module, inputs, knobs.batch_size, runtime)
        train_loss = accelerator.reduce(total, "mean").item() / per_epoch
        if accelerator.is_main_process:
            state.finish_epoch(module, optimizer.optimizer, train_loss, logits, inputs.val.labels)
            finished(state)


def validation_logits(module: FusedClassifier, inputs: Inputs, batch_size: int, runtime: Runtime) -> np.ndarray:
    """float32 [N, K+1] of the validation rows, in the test view."""
    answers = torch.from_numpy(inputs.val.answers).to(runtime.device)
    return over_images(
        module, lambda images, where: module(images, answers[where]), len(inputs.classes.names), inputs.val.table, inputs.shards,
        inputs.image_size, batch_size, inputs.loaders, runtime=runtime, what="Validating",
    )  # fmt: skip
