"""What the network makes of the test photos, before anything that validation chose: kept as an out, so that another threshold, another
score or another table costs no pass of the network."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from accelerate.utils import broadcast_object_list
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dermlab.data.shards import Shards
from dermlab.model.folder import DESCRIPTION, WEIGHTS
from dermlab.model.forward import over_images
from dermlab.model.images import ImageReader
from dermlab.model.questionnaire import encode, unanswered
from dermlab.model.runtime import processes
from dermlab.model.saved import TrainedModel
from dermlab.run import paths
from dermlab.run.code import code_digest
from dermlab.run.files import atomic_path, sha256_file
from dermlab.run.last_run import LastRun

MADE_BY = "made_by"


@dataclass(frozen=True)
class Outputs:
    """N test rows, M rows of the held-out fold (mostly none), K target classes and `other`."""

    logits: np.ndarray  # float32 [N, K+1], before the temperature
    hidden: np.ndarray  # float32 [N, K+1], the same with every answer hidden
    similarity: np.ndarray  # float32 [N], to the photos of validation (scores/familiarity.py)
    held_out: np.ndarray  # float32 [M, K+1]


def outputs_of(
    model: TrainedModel,
    rows: pd.DataFrame,
    held_out_fold: pd.DataFrame,
    shards: Shards,
    batch_size: int,
    loaders: int,
    tta: str,
    made: str,
    last: LastRun | None,
) -> tuple[Outputs | None, bool]:
    """(what the network says of both, whether that was there from the `last` run). `tta`: the mean over several views, see
    forward.VIEWS; `made`: of `made_by`. Each image runs through the backbone once. Under torchrun every process does its share, and the
    first has the whole."""
    earlier = earlier_outputs(made, last) if processes().is_main_process else None
    (there,) = broadcast_object_list([earlier is not None])
    if there:
        return earlier, True
    count = len(model.classes.names)
    found = _with_and_without_answers(model, rows, ImageReader(shards, model.image_size, loaders), batch_size, tta)
    logits = (
        predict_logits(model, held_out_fold, shards, batch_size, loaders, tta) if len(held_out_fold) else np.zeros((0, count), np.float32)
    )
    return Outputs(found[:, :count], found[:, count:-1], found[:, -1], logits), False


def predict_logits(
    model: TrainedModel, rows: pd.DataFrame, shards: Shards, batch_size: int = 64, loaders: int = 0, tta: str = "none"
) -> np.ndarray:
    """float32 logits [N, K+1] of `rows` (image_id, shard, row, questionnaire columns), before the temperature."""
    module, answers = model.module, torch.from_numpy(encode(rows, model.questions))
    return over_images(
        module, lambda images, where: module(images, answers[where].to(images.device)), len(model.classes.names),
        rows, ImageReader(shards, model.image_size, loaders), batch_size, tta=tta, what="Predicting",
    )  # fmt: skip


def _with_and_without_answers(model: TrainedModel, rows: pd.DataFrame, reader: ImageReader, batch_size: int, tta: str) -> np.ndarray:
    """float32 [N, 2 (K+1) + 1]: the fields of `Outputs` side by side."""
    module = model.module
    answers, blank = torch.from_numpy(encode(rows, model.questions)), torch.from_numpy(unanswered(model.questions))

    def forward(images: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        features = module.backbone(images)
        given, nothing = answers[where].to(images.device), blank.to(images.device).expand(len(where), -1)
        known = model.calibration.familiarity.similarity(features.float().cpu().numpy())
        similarity = torch.from_numpy(known).to(features.device)[:, None]
        return torch.cat([module.head(features, given), module.head(features, nothing), similarity], dim=1)

    return over_images(module, forward, 2 * len(model.classes.names) + 1, rows, reader, batch_size, tta=tta, what="Predicting")


def made_by(model: TrainedModel, rows: pd.DataFrame, held_out_fold: pd.DataFrame, tta: str, folder: Path = paths.MODEL) -> str:
    """A digest of all that decides the outputs: network, photos, answers, views, reference of the familiar, code and versions."""
    digest = hashlib.sha256()
    for part in (sha256_file(folder / WEIGHTS), sha256_file(folder / DESCRIPTION), code_digest(Path(__file__)), tta):
        digest.update(part.encode())
    digest.update(model.calibration.familiarity.reference.tobytes())
    for table in (rows, held_out_fold):
        digest.update(json.dumps(table[["image_id", "sha256"]].to_numpy().tolist()).encode())
        digest.update(encode(table, model.questions).tobytes())
    return digest.hexdigest()[:16]


def write_outputs(outputs: Outputs, made: str, path: Path = paths.OUTPUTS) -> None:
    with atomic_path(path) as unfinished:
        save_file({name: np.ascontiguousarray(array) for name, array in asdict(outputs).items()}, unfinished, metadata={MADE_BY: made})


def earlier_outputs(made: str, last: LastRun | None) -> Outputs | None:
    """Those of the last run, where the same made them."""
    path = last and last.file(paths.OUTPUTS)
    if not path:
        return None
    try:
        with safe_open(path, framework="np") as file:
            if (file.metadata() or {}).get(MADE_BY) != made:
                return None
            return Outputs(**{name: file.get_tensor(name) for name in Outputs.__dataclass_fields__})
    except (OSError, SafetensorError):
        return None
