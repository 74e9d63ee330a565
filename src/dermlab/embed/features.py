"""Features of every image pulled, from the backbone as it came: cached once, read by flag and train."""

import numpy as np
import pandas as pd

from dermlab.data.embeddings import EmbeddingInfo, Embeddings
from dermlab.data.last_run import LastRun
from dermlab.data.shards import Shards
from dermlab.embed.reuse import earlier_features
from dermlab.model.backbones import Backbone, weights_digest
from dermlab.model.images import ImageReader
from dermlab.model.predict import over_images


def embed(
    backbone: Backbone,
    images: pd.DataFrame,
    shards: Shards,
    image_size: int,
    batch_size: int,
    loaders: int = 0,
    last: LastRun | None = None,
) -> tuple[Embeddings, int]:
    """(float16 [N, D], in the order of image_id, in the test view; how many of them come from the last run).

    images: as `tables.IMAGES`. A photo whose JPEG is byte for byte one of the last run's, by the same weights, is not looked at again.
    """
    rows = images.sort_values("image_id", ignore_index=True)
    info = EmbeddingInfo(backbone.name, backbone.features, image_size, weights_digest(backbone))
    features, known = earlier_features(rows["sha256"].to_numpy(str), info, last)
    fresh = rows[~known].reset_index(drop=True)
    if len(fresh):
        features[~known] = over_images(
            backbone,
            lambda images, _: backbone(images),
            backbone.features,
            fresh,
            ImageReader(shards, image_size, loaders),
            batch_size,
            what="Embedding",
        ).astype(np.float16)
    return Embeddings(rows["image_id"].to_numpy(str), features, info), int(known.sum())
