"""Running a network over many stored images: features for `embed`, logits for `train`, `evaluate` and `predict`."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from dermlab.data.errors import BudgetError
from dermlab.data.progress import progress
from dermlab.data.shards import Shards
from dermlab.model.images import ImageReader
from dermlab.model.questionnaire import encode, unanswered
from dermlab.model.runtime import Runtime, set_up
from dermlab.model.saved import TrainedModel


def predict_logits(
    model: TrainedModel, rows: pd.DataFrame, shards: Shards, batch_size: int = 64, loaders: int = 0, flip: bool = False
) -> np.ndarray:
    """float32 logits [N, K+1] of `rows` (image_id, shard, row, questionnaire columns), before the temperature.

    `flip`: the mean over each image and its mirror image. Probabilities: `probabilities(logits, model.temperature)`.
    """
    module, answers = model.module, torch.from_numpy(encode(rows, model.questions))
    return over_images(
        module, lambda images, where: module(images, answers[where].to(images.device)), len(model.classes.names),
        rows, ImageReader(shards, model.image_size, loaders), batch_size, flip=flip, what="Predicting",
    )  # fmt: skip


def predict_both(
    model: TrainedModel, rows: pd.DataFrame, shards: Shards, batch_size: int = 64, loaders: int = 0, flip: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """As `predict_logits`, with the answers and with all of them hidden; each image runs through the backbone once."""
    module, outputs = model.module, len(model.classes.names)
    answers, blank = torch.from_numpy(encode(rows, model.questions)), torch.from_numpy(unanswered(model.questions))

    def forward(images: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        features = module.backbone(images)
        given, nothing = answers[where].to(images.device), blank.to(images.device).expand(len(where), -1)
        return torch.cat([module.head(features, given), module.head(features, nothing)], dim=1)

    reader = ImageReader(shards, model.image_size, loaders)
    logits = over_images(module, forward, 2 * outputs, rows, reader, batch_size, flip=flip, what="Predicting")
    return logits[:, :outputs], logits[:, outputs:]


def probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """float32 [N, K+1], rows sum to 1: softmax of logits / temperature (Guo et al. 2017, eq. 9)."""
    scaled = logits.astype(np.float64) / temperature
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return (scaled / scaled.sum(axis=1, keepdims=True)).astype(np.float32)


def over_images(
    module: torch.nn.Module,
    forward: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    width: int,
    rows: pd.DataFrame,
    reader: ImageReader,
    batch_size: int,
    *,
    flip: bool = False,
    runtime: Runtime | None = None,
    what: str = "Images",
) -> np.ndarray:
    """float32 [N, width], row by row what `forward(images, positions in rows)` gives, in eval mode.

    Under torchrun every process does its share of the images and all return the whole. Raises BudgetError where the GPU's
    memory is too small for the batch.
    """
    runtime = runtime or set_up()
    rank, world = _rank_and_world()
    training = module.training
    module.to(runtime.device, memory_format=torch.channels_last).eval()
    out = torch.zeros(len(rows), width)
    where = torch.arange(rank, len(rows), world)
    batches = reader.batches(rows.iloc[where.numpy()], batch_size)
    try:
        with torch.inference_mode(), runtime.autocast(training=False), progress(what, len(where)) as meter:
            for drawn, images in batches:
                positions = where[drawn]
                images = images.to(runtime.device, non_blocking=True)
                result = forward(images, positions)
                if flip:
                    result = (result.float() + forward(images.flip(3), positions).float()) / 2
                out[positions] = result.float().cpu()
                meter.advance(len(positions))
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
