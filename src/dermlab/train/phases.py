"""The two phases: a head on cached features, then the network end to end on augmented images. What differs between them is data,
`Phase`; `loop` runs either.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from dermlab.data.errors import ParamsError
from dermlab.model.classifier import FusedClassifier, Head
from dermlab.model.images import ImageDataset, loader
from dermlab.model.predict import over_images
from dermlab.model.runtime import Runtime
from dermlab.train.inputs import Inputs
from dermlab.train.memory import checkpoint_if_needed
from dermlab.train.params import Params, TrainParams
from dermlab.train.schedule import adamw
from dermlab.train.state import State

MAX_GRADIENT = 1.0  # norm to which gradients of the whole network are clipped; those of a head alone are not
Batches = Iterator[tuple[np.ndarray, torch.Tensor]]


@dataclass(frozen=True)
class Phase:
    """`number`: in seeds. `learner`: the module that learns and is remembered; `model`: the same as it is called, with inputs and
    answers, wrapped where several processes share the work. `batches`: of an epoch's number and its order of training rows, the rows of
    each batch and what the model takes of them; of this process alone. `validate`: float32 [N, K+1], the logits of the validation rows.
    `accelerator`: None where one process does it all."""

    name: str
    number: int
    title: str
    epochs: int
    learner: nn.Module
    model: nn.Module
    optimizer: torch.optim.Optimizer
    batches: Callable[[int, np.ndarray], Batches]
    validate: Callable[[], np.ndarray]
    accelerator: Accelerator | None = None


def head_phase(head: Head, inputs: Inputs, knobs: TrainParams, runtime: Runtime, state: State) -> Phase:
    """Phase one, on features that `embed` cached: no image is decoded. Seconds of work, so one process does it and the others wait."""
    features, held_out, answers = (
        torch.from_numpy(np.array(a)).to(runtime.device) for a in (inputs.train.features, inputs.val.features, inputs.val.answers)
    )
    head.to(runtime.device)
    optimizer = adamw(nn.ModuleDict({"head": head}), knobs)
    if state.weights:
        head.load_state_dict(state.weights)
        optimizer.load_state_dict(state.optimizer)
    else:  # a few steps of a moving average would still be near 0 and 1
        head.standardise.running_mean.copy_(features.float().mean(0))
        head.standardise.running_var.copy_(features.float().var(0))

    def batches(epoch: int, order: np.ndarray) -> Batches:
        for positions in order.reshape(-1, knobs.batch_size):
            yield positions, features[torch.from_numpy(positions).to(runtime.device)]

    def validate() -> np.ndarray:
        head.eval()
        with torch.inference_mode():
            return head(held_out, answers).float().cpu().numpy()

    return Phase("frozen", 1, "Training the head", knobs.frozen_epochs, head, head, optimizer, batches, validate)


def finetune_phase(
    module: FusedClassifier, inputs: Inputs, params: Params, runtime: Runtime, accelerator: Accelerator, state: State
) -> Phase:
    """Phase two, end to end. Under torchrun every process takes its part of each batch, so that the recipe means the same on one
    process or many. Raises ParamsError."""
    knobs, world = params.train, accelerator.num_processes
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
    model, prepared = accelerator.prepare(module, optimizer)
    val_answers = torch.from_numpy(inputs.val.answers).to(runtime.device)

    def batches(epoch: int, order: np.ndarray) -> Batches:
        draws = np.arange(len(order)).reshape(-1, world, share)[:, accelerator.process_index].ravel()
        dataset = ImageDataset(inputs.train.table.iloc[order], inputs.shards, inputs.image_size, augment=(params.seed, epoch))
        for drawn, images in loader(dataset, draws.tolist(), share, inputs.loaders, drop_last=True):
            yield order[drawn.numpy()], images.to(runtime.device, non_blocking=True)

    def validate() -> np.ndarray:
        return over_images(
            module, lambda images, where: module(images, val_answers[where]), len(inputs.classes.names), inputs.val.table, inputs.shards,
            inputs.image_size, knobs.batch_size, inputs.loaders, runtime=runtime, what="Validating",
        )  # fmt: skip

    return Phase("finetune", 2, "Fine-tuning", knobs.finetune_epochs, module, model, prepared, batches, validate, accelerator)
