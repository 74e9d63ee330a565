"""Features of every image pulled, from the backbone as it came: cached once, read by flag and train."""

from pathlib import Path

import numpy as np
import pandas as pd
from accelerate.utils import broadcast_object_list

from dermlab.data.embeddings import EmbeddingInfo, Embeddings
from dermlab.data.shards import Shards
from dermlab.embed.parts import Parts
from dermlab.embed.reuse import earlier_features
from dermlab.model.backbones import Backbone, weights_digest
from dermlab.model.forward import over_images
from dermlab.model.images import ImageReader
from dermlab.model.runtime import processes
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.last_run import LastRun
from dermlab.run.progress import progress, some

PART_ROWS = 16_384  # of each process: a minute of MedSigLIP on an H100, 38 MB of its features


def embed(
    backbone: Backbone,
    images: pd.DataFrame,
    shards: Shards,
    image_size: int,
    batch_size: int,
    loaders: int = 0,
    last: LastRun | None = None,
    checkpoints: Path = paths.CHECKPOINTS,
) -> tuple[Embeddings, int]:
    """(float16 [N, D], in the order of image_id, in the test view; how many of them come from the last run).

    images: as `tables.IMAGES`. A photo whose JPEG is byte for byte one of the last run's, by the same weights, is not looked at again.
    Killed, it goes on from the parts in `checkpoints`, which stay there: who writes what is returned removes them. Under torchrun every
    process does its share of each part, and the first one, which alone reads and keeps parts, has all features.
    """
    rows = images.sort_values("image_id", ignore_index=True)
    info = EmbeddingInfo(backbone.name, backbone.features, image_size, weights_digest(backbone))
    features, known = earlier_features(rows["sha256"].to_numpy(str), info, last)
    fresh = rows[~known].reset_index(drop=True)
    if len(fresh):
        features[~known] = _in_parts(backbone, fresh, ImageReader(shards, image_size, loaders), batch_size, Parts(info, checkpoints))
    return Embeddings(rows["image_id"].to_numpy(str), features, info), int(known.sum())


def _in_parts(backbone: Backbone, rows: pd.DataFrame, reader: ImageReader, batch_size: int, parts: Parts) -> np.ndarray:
    """float16 [len(rows), D]."""
    state, digests = processes(), rows["sha256"].to_numpy(str)
    size = PART_ROWS * state.num_processes
    features, todo = np.zeros((len(rows), backbone.features), dtype=np.float16), []
    for cut in (slice(start, start + size) for start in range(0, len(rows), size)):
        kept = parts.read(digests[cut]) if state.is_main_process else None
        if kept is None:
            todo.append(cut)
        else:
            features[cut] = kept
    (todo,) = broadcast_object_list([todo])  # what the first process found: the others may look before or after this run keeps a part
    with progress("Embedding", len(rows)) as meter:
        meter.begin_at(len(rows) - sum(len(digests[cut]) for cut in todo))
        for cut in todo:
            part = rows[cut].reset_index(drop=True)
            with np.errstate(over="ignore"):  # told by the photo below
                features[cut] = over_images(
                    backbone, lambda images, _: backbone(images), backbone.features, part, reader, batch_size, what="Embedding", meter=meter
                )
            _check_finite(features[cut], part, backbone)
            if state.is_main_process:
                parts.write(digests[cut], features[cut])
    return features


def _check_finite(features: np.ndarray, rows: pd.DataFrame, backbone: Backbone) -> None:
    """That they are numbers in float16. Raises ContractError: no classifier can be fitted to others."""
    if (odd := ~np.isfinite(features).all(axis=1)).any():
        raise ContractError(
            f"{backbone.name} makes features of {some(int(odd.sum()), 'photo', 'photos')} that are no numbers, or beyond 65,504 "
            f"(first: {rows['image_id'][odd].iloc[0]}). Use another backbone, or its size: embed.image_size."
        )
