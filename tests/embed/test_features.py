import io

import numpy as np
import pandas as pd
import torch
from PIL import Image

from dermlab.data.embeddings import read_embeddings, write_embeddings
from dermlab.data.shards import Shards, shard_name, write_shard
from dermlab.embed.features import embed
from dermlab.model.backbones import Backbone


class MeanColour(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))


def catalog_of(folder, colours: dict[str, tuple[int, int, int]]) -> pd.DataFrame:
    files = {image_id: io.BytesIO() for image_id in colours}
    for image_id, file in files.items():
        Image.new("RGB", (40, 30), colours[image_id]).save(file, "JPEG", quality=100, subsampling=0)
    write_shard(folder / shard_name(0), list(colours), [file.getvalue() for file in files.values()])
    return pd.DataFrame({"image_id": list(colours), "shard": 0, "row": range(len(colours))})


def test_every_image_has_its_own_features_in_the_order_of_ids(tmp_path):
    colours = {"c": (255, 0, 0), "a": (0, 255, 0), "b": (0, 0, 255)}
    catalog = catalog_of(tmp_path, colours)
    backbone = Backbone("mean colour", MeanColour(), 3, 16, mean=(0, 0, 0), std=(1, 1, 1))
    write_embeddings(embed(backbone, catalog, Shards(tmp_path), image_size=16, batch_size=2), tmp_path / "embeddings")
    made = read_embeddings(tmp_path / "embeddings")
    assert made.image_ids.tolist() == ["a", "b", "c"]
    assert made.features.dtype == np.float16
    assert (made.info.backbone, made.info.features, made.info.image_size) == ("mean colour", 3, 16)
    np.testing.assert_allclose(made.of(np.array(["c", "a"])), [[1, 0, 0], [0, 1, 0]], atol=0.02)


def test_features_are_made_with_dropout_and_batch_statistics_off(tmp_path):
    catalog = catalog_of(tmp_path, {"a": (200, 120, 90), "b": (10, 250, 30)})
    trunk = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Dropout(0.5), MeanColour())
    backbone = Backbone("noisy", trunk, 3, 16).train()
    first, second = (embed(backbone, catalog, Shards(tmp_path), 16, 2).features for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert backbone.training  # left as it was found
