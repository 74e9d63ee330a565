"""Features of every image of the catalog, from the backbone as it came: cached once, read by flag and train."""

import pandas as pd

from dermlab.data.embeddings import EmbeddingInfo, Embeddings
from dermlab.data.shards import Shards
from dermlab.model.backbones import Backbone
from dermlab.model.predict import over_images


def embed(backbone: Backbone, catalog: pd.DataFrame, shards: Shards, image_size: int, batch_size: int) -> Embeddings:
    """float16 [N, D], in the order of image_id, in the test view."""
    rows = catalog.sort_values("image_id", ignore_index=True)
    features = over_images(
        backbone, lambda images, _: backbone(images), backbone.features, rows, shards, image_size, batch_size, what="Embedding"
    )
    info = EmbeddingInfo(backbone.name, backbone.features, image_size)
    return Embeddings(rows["image_id"].to_numpy(str), features.astype("float16"), info)
