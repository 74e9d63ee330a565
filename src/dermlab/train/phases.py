"""The two phases: a head on cached features, then the network end to end on augmented images. What differs between them is data,
`Phase`; `loop` runs either.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from dermlab.model.classifier import FusedClassifier, Head
from dermlab.model.forward import over_images
from dermlab.model.images import ImageReader
from dermlab.model.kernels import choose_attention, compile_blocks, frozen_as_inferred, uncompiled
from dermlab.model.runtime import Runtime
from dermlab.run.errors import ParamsError
from dermlab.train.inputs import Inputs
from dermlab.train.learnt import restore
from dermlab.train.memory import fit_to_memory
from dermlab.train.params import Params, TrainParams
from dermlab.train.schedule import adamw
from dermlab.train.state import State

MAX_GRADIENT = 1.0  # norm to which gradients of the whole network are clipped; those of a head alone are not
Batches = Iterator[tuple[np.ndarray, torch.Tensor]]


@dataclass(frozen=True)
class Phase:
    name: str
    number: int  # in seeds
    title: str
    epochs: int
    learner: nn.Module  # the module that learns and is remembered
    model: nn.Module  # the same as it is called, with inputs and answers, wrapped where several processes share the work
    optimizer: torch.optim.Optimizer
    # of an epoch's number, its order of training rows and a step, the rows of each batch from that step on and what the model takes of
    # them; of this process alone
    batches: Callable[[int, np.ndarray, int], Batches]
    # of a module such as `learner`, what it makes of the validation rows: logits, float32 [N, K+1], and the backbone's features, float32
    # [N, D]
    validate: Callable[[nn.Module], tuple[np.ndarray, np.ndarray]]
    at_once: int  # rows that a pass takes of a batch
    ema: float = 0.0  # decay of the average of the weights
    accelerator: Accelerator | None = None  # None where one process does it all
    around: Callable[[], AbstractContextManager] = nullcontext  # a context for each forward pass of training


def head_phase(head: Head, inputs: Inputs, knobs: TrainParams, runtime: Runtime, state: State) -> Phase:
    """Phase one, on features that `embed` cached: no image is decoded. Seconds of work, so one process does it and the others wait."""
    features, val_features, val_answers = (
        torch.from_numpy(np.array(a)).to(runtime.device) for a in (inputs.train.features, inputs.val.features, inputs.val.answers)
    )
    head.to(runtime.device)
    optimizer = adamw(nn.ModuleDict({"head": head}), knobs)
    if state.weights:
        head.load_state_dict(state.weights)
        optimizer.load_state_dict(state.optimizer)
    else:
        head.fit_standardise(features)

    def batches(epoch: int, order: np.ndarray, step: int) -> Batches:
        for positions in order.reshape(-1, knobs.batch_size)[step:]:
            yield positions, features[torch.from_numpy(positions).to(runtime.device)]

    def validate(head: nn.Module) -> tuple[np.ndarray, np.ndarray]:
        head.eval()
        with torch.inference_mode():
            return head(val_features, val_answers).float().cpu().numpy(), val_features.float().cpu().numpy()

    return Phase("frozen", 1, "Training the head", knobs.frozen_epochs, head, head, optimizer, batches, validate, knobs.batch_size)


def finetune_phase(
    module: FusedClassifier, inputs: Inputs, params: Params, runtime: Runtime, accelerator: Accelerator, state: State
) -> Phase:
    """Phase two, end to end, of a module whose backbone `adapters.adapt` has seen to. Under torchrun every process takes its part of each
    batch, so that the recipe means the same on one process or many. Raises ParamsError."""
    knobs, world = params.train, accelerator.num_processes
    if knobs.batch_size % world or knobs.batch_size // world < 2:
        raise ParamsError(f"train.batch_size: {knobs.batch_size} cannot be shared by {world} processes. Take a multiple, 2 or more each.")
    share = knobs.batch_size // world
    backbone = module.backbone
    module.to(runtime.device, memory_format=torch.channels_last).train()
    if state.weights:
        restore(module, state.weights)
    else:  # a head comes from phase one with the statistics of its last ten batches
        module.head.fit_standardise(torch.from_numpy(np.array(inputs.train.features)))
    at_once = fit_to_memory(backbone, inputs.image_size, share, runtime.device, runtime.train_dtype)
    choose_attention(backbone, inputs.image_size, at_once, runtime)
    compile_blocks(backbone, runtime)
    optimizer = adamw(module, knobs, [f"backbone.trunk.{name}" for name in backbone.blocks()])
    if state.optimizer:
        optimizer.load_state_dict(state.optimizer)
    model, prepared = accelerator.prepare(module, optimizer)
    val_answers = torch.from_numpy(inputs.val.answers).to(runtime.device)
    reader = ImageReader(inputs.shards, inputs.image_size, inputs.loaders)

    def batches(epoch: int, order: np.ndarray, step: int) -> Batches:
        draws = np.arange(len(order)).reshape(-1, world, share)[step:, accelerator.process_index].ravel()
        seeds = [(params.seed, epoch, draw) for draw in draws.tolist()]
        for drawn, images in reader.batches(inputs.train.table.iloc[order[draws]], share, seeds):
            yield order[draws[drawn.numpy()]], images.to(runtime.device, non_blocking=True)

    def validate(module: nn.Module) -> tuple[np.ndarray, np.ndarray]:
        outputs = len(inputs.classes.names)

        def forward(images: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
            features = module.backbone(images)
            return torch.cat([module.head(features, val_answers[where]), features.float()], dim=1)

        with uncompiled():
            found = over_images(
                module, forward, outputs + module.backbone.features, inputs.val.table, reader, knobs.batch_size, runtime=runtime,
                what="Validating",
            )  # fmt: skip
        return found[:, :outputs], found[:, outputs:]

    return Phase(
        "finetune", 2, "Fine-tuning", knobs.finetune_epochs, module, model, prepared, batches, validate, at_once, knobs.ema, accelerator,
        partial(frozen_as_inferred, backbone, runtime),
    )  # fmt: skip
