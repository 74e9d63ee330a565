"""Whether the activations of a batch fit on the GPU, or must be computed twice (gradient checkpointing, Chen et al. 2016)."""

import torch
from torch import nn

from dermlab.data.progress import say
from dermlab.model.backbones import Backbone

MARGIN = 0.85  # of the free memory; the rest is for workspaces, gradients and fragmentation


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


def checkpoint_if_needed(backbone: Backbone, image_size: int, batch_size: int, device: torch.device, dtype: torch.dtype) -> bool:
    """Switches gradient checkpointing on where a batch would not fit: it costs a third more arithmetic, a batch that is
    too large costs the run. On a CPU nothing is done."""
    if device.type != "cuda" or backbone.checkpointing is None:
        return False
    needed = batch_size * activation_bytes(backbone, image_size, device, dtype)
    torch.cuda.empty_cache()
    weights = sum(parameter.nbytes for parameter in backbone.parameters() if parameter.requires_grad)
    free = torch.cuda.mem_get_info(device)[0] * MARGIN - 3 * weights  # gradients and two moments are still to come
    if needed <= free:
        return False
    backbone.checkpointing()
    say(
        f"{batch_size} images leave {needed / 1e9:.0f} GB for the backward pass, {free / 1e9:.0f} GB are free: gradient checkpointing is on"
    )
    return True
