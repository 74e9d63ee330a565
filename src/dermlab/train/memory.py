"""How many images' activations fit on the GPU at once. A batch that does not fit is taken in passes; where not even a few images fit,
activations are computed twice (Chen et al. 2016)."""

import torch
from torch import nn

from dermlab.model.backbones import Backbone
from dermlab.run.progress import say

MARGIN = 0.85  # of the free memory; the rest is for workspaces, gradients and fragmentation
FEWEST = 8  # images a pass that still keep a large GPU busy


def fit_to_memory(backbone: Backbone, image_size: int, batch_size: int, device: torch.device, dtype: torch.dtype) -> int:
    """Images a pass: all of the batch where they fit, else an even part of it. Where fewer than FEWEST fit, activations are computed
    twice and the batch is taken whole: it costs a third more arithmetic. On a CPU, always the batch."""
    if device.type != "cuda":
        return batch_size
    each = activation_bytes(backbone, image_size, device, dtype)
    torch.cuda.empty_cache()
    weights = sum(parameter.nbytes for parameter in backbone.parameters() if parameter.requires_grad)
    free = torch.cuda.mem_get_info(device)[0] * MARGIN - 3 * weights  # gradients and two moments are still to come
    at_once = images_at_once(batch_size, each, free)
    if at_once == batch_size:
        return batch_size
    short = f"{batch_size} images leave {batch_size * each / 1e9:.0f} GB for the backward pass, {free / 1e9:.0f} GB are free"
    if at_once >= FEWEST or not computes_twice(backbone):
        say(f"{short}: a batch is taken in passes of {at_once}")
        return at_once
    say(f"{short}: activations are computed twice")
    return batch_size


def computes_twice(backbone: Backbone) -> bool:
    """Switches gradient checkpointing on, where its library has it for this network."""
    try:
        if backbone.checkpointing is not None:
            backbone.checkpointing()
    except (AssertionError, ValueError):  # so timm and transformers tell that a network has none
        return False
    return backbone.checkpointing is not None


def images_at_once(batch_size: int, each: float, free: float) -> int:
    """The largest divisor of `batch_size` images, `each` of so many bytes, that fits into `free` bytes; at least 1."""
    return next((size for size in range(batch_size, 0, -1) if batch_size % size == 0 and size * each <= free), 1)


def activation_bytes(backbone: nn.Module, image_size: int, device: torch.device, dtype: torch.dtype) -> int:
    """Bytes one image leaves behind for the backward pass, measured: what two images keep beyond what one keeps."""

    def kept(images: int) -> int:
        storages: dict[int, int] = {}

        def note(tensor: torch.Tensor) -> torch.Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            alive.append(tensor)
            return tensor

        alive: list[torch.Tensor] = []
        batch = torch.zeros(images, 3, image_size, image_size, dtype=torch.uint8, device=device)
        with (
            torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
            torch.autocast(device.type, dtype, enabled=dtype != torch.float32),
        ):
            backbone(batch)
        return sum(storages.values())

    statistics = {name: buffer.clone() for name, buffer in backbone.named_buffers()}
    measured = kept(3) - kept(2)
    for name, buffer in backbone.named_buffers():  # blank images are none to learn batch-norm statistics from
        buffer.copy_(statistics[name])
    return measured
