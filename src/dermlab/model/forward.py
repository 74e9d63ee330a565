"""Running a network over many stored images. What is done with its outputs is for whoever asks."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from dermlab.model.images import ImageReader
from dermlab.model.runtime import Runtime, set_up
from dermlab.run.errors import BudgetError
from dermlab.run.progress import Meter, progress

View = Callable[[torch.Tensor], torch.Tensor]
CROP = 0.875  # of the side, of each of four crops that reach into the corners


def _whole(images: torch.Tensor) -> torch.Tensor:
    return images


def _mirrored(images: torch.Tensor, view: View = _whole) -> torch.Tensor:
    return view(images).flip(3)


def _corner(images: torch.Tensor, down: int, across: int) -> torch.Tensor:
    """uint8 [B, 3, S, S]: a crop, enlarged to S. `down`, `across`: 0 or 1, of the corner."""
    side = images.shape[-1]
    crop = round(CROP * side)
    top, left = down * (side - crop), across * (side - crop)
    cut = images[:, :, top : top + crop, left : left + crop].float()
    return F.interpolate(cut, size=(side, side), mode="bicubic", align_corners=False).round().clamp(0, 255).to(torch.uint8)


_CROPS: list[View] = [partial(_corner, down=down, across=across) for down in (0, 1) for across in (0, 1)]
# Views of an image by the name of test-time augmentation; each costs a pass of the network.
VIEWS: dict[str, list[View]] = {
    "none": [_whole],
    "flip": [_whole, _mirrored],
    "crops": [_whole, _mirrored, *_CROPS, *(partial(_mirrored, view=crop) for crop in _CROPS)],
}


def over_images(
    module: torch.nn.Module,
    forward: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    width: int,
    rows: pd.DataFrame,
    reader: ImageReader,
    batch_size: int,
    *,
    tta: str = "none",
    runtime: Runtime | None = None,
    what: str = "Images",
    meter: Meter | None = None,
) -> np.ndarray:
    """float32 [N, width], row by row what `forward(images, positions in rows)` gives, in eval mode; the mean over the views of `tta`.

    `meter`: of a longer work that this is a part of. Under torchrun every process does its share of the images and all return the
    whole. Raises BudgetError where the GPU's memory is too small for the batch.
    """
    runtime = runtime or set_up()
    rank, world = _rank_and_world()
    training = module.training
    module.to(runtime.device, memory_format=torch.channels_last).eval()
    out = torch.zeros(len(rows), width)
    where = torch.arange(rank, len(rows), world)
    batches = reader.batches(rows.iloc[where.numpy()], batch_size)
    try:
        shown = nullcontext(meter) if meter else progress(what, len(rows))
        with torch.inference_mode(), runtime.autocast(training=False), shown as counted:
            for drawn, images in batches:
                positions = where[drawn]
                images = images.to(runtime.device, non_blocking=True)
                results = [forward(view(images), positions).float() for view in VIEWS[tta]]
                out[positions] = (sum(results) / len(results)).cpu()
                counted.advance(world * len(positions))
    except torch.OutOfMemoryError as error:
        raise BudgetError(f"{what}: the GPU's memory is too small for batches of {batch_size}. Lower machine.batch_size.") from error
    finally:
        module.train(training)
    if world > 1:
        out = out.to(runtime.device)
        torch.distributed.all_reduce(out)  # every row was filled by one process, the others hold zeros
        out = out.cpu()
    return out.numpy()


def _rank_and_world() -> tuple[int, int]:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
