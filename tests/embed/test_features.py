import hashlib
import io
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from defaults import DEFAULTS
from PIL import Image
from s3_server import free_port

from dermlab.data.embeddings import read_embeddings, write_embeddings
from dermlab.data.shards import Shards, shard_name, write_shard
from dermlab.data.tables import IMAGES, write_table
from dermlab.embed import features
from dermlab.embed.features import embed
from dermlab.embed.parts import Parts
from dermlab.model.backbones import Backbone, weights_digest
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.last_run import LastRun


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where parts are kept


class MeanColour(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))


def images_of(folder, colours: dict[str, tuple[int, int, int]]) -> pd.DataFrame:
    files = {image_id: io.BytesIO() for image_id in colours}
    for image_id, file in files.items():
        Image.new("RGB", (40, 30), colours[image_id]).save(file, "JPEG", quality=100, subsampling=0)
    write_shard(folder / shard_name(0), list(colours), [file.getvalue() for file in files.values()])
    digests = [hashlib.sha256(file.getvalue()).hexdigest() for file in files.values()]
    places = {"image_id": list(colours), "shard": 0, "row": range(len(colours)), "sha256": digests}
    return pd.DataFrame({**places, "width": 40, "height": 30, "phash": np.zeros(len(colours), np.uint64)})


def test_every_image_has_its_own_features_in_the_order_of_ids(tmp_path):
    colours = {"c": (255, 0, 0), "a": (0, 255, 0), "b": (0, 0, 255)}
    images = images_of(tmp_path, colours)
    backbone = Backbone("mean colour", MeanColour(), 3, 16, mean=(0, 0, 0), std=(1, 1, 1))
    write_embeddings(embed(backbone, images, Shards(tmp_path), image_size=16, batch_size=2)[0], tmp_path / "embeddings")
    made = read_embeddings(tmp_path / "embeddings")
    assert made.image_ids.tolist() == ["a", "b", "c"]
    assert made.features.dtype == np.float16
    assert (made.info.backbone, made.info.features, made.info.image_size) == ("mean colour", 3, 16)
    np.testing.assert_allclose(made.of(np.array(["c", "a"])), [[1, 0, 0], [0, 1, 0]], atol=0.02)


def test_features_are_made_with_dropout_and_batch_statistics_off(tmp_path):
    images = images_of(tmp_path, {"a": (200, 120, 90), "b": (10, 250, 30)})
    trunk = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Dropout(0.5), MeanColour())
    backbone = Backbone("noisy", trunk, 3, 16).train()
    first, second = (embed(backbone, images, Shards(tmp_path), 16, 2)[0].features for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert backbone.training  # left as it was found


class Counted(MeanColour):
    """Mean colour, doubled by a weight; counts the images it was shown."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight, self.shown = torch.nn.Parameter(torch.tensor(weight)), 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.shown += len(images)
        return super().forward(images) * self.weight


def run_of(folder, images: pd.DataFrame, embeddings) -> LastRun:
    write_table(folder / "images", images, IMAGES)
    write_embeddings(embeddings, folder / "embeddings")
    files = {str(paths.EMBEDDINGS / path.name): path for path in (folder / "embeddings").iterdir()}
    return LastRun({**files, str(paths.IMAGES): folder / "images"})


def test_a_photo_of_the_last_run_is_not_looked_at_again_under_any_id_and_an_altered_one_is(tmp_path):
    (tmp_path / "shards").mkdir()
    colours = {"a": (200, 120, 90), "b": (10, 250, 30)}
    before = images_of(tmp_path, colours)
    trunk = Counted()
    made, reused = embed(Backbone("counted", trunk, 3, 16), before, Shards(tmp_path), 16, 8)
    last = run_of(tmp_path, before, made)
    assert (trunk.shown, reused) == (2, 0)
    now = images_of(tmp_path / "shards", {"a": (0, 0, 0), "c": colours["b"], "d": (9, 9, 200)})
    again, reused = embed(Backbone("counted", trunk, 3, 16), now, Shards(tmp_path / "shards"), 16, 8, last=last)
    assert (trunk.shown, reused) == (4, 1)
    fresh, _ = embed(Backbone("counted", trunk, 3, 16), now, Shards(tmp_path / "shards"), 16, 8)
    np.testing.assert_array_equal(again.features, fresh.features)


def test_other_weights_use_nothing_of_the_last_run(tmp_path):
    images = images_of(tmp_path, {"a": (200, 120, 90)})
    one, other = Backbone("counted", Counted(), 3, 16), Backbone("counted", Counted(2.0), 3, 16)
    assert weights_digest(one) != weights_digest(other) != weights_digest(Backbone("plain", MeanColour(), 3, 16))
    last = run_of(tmp_path, images, embed(one, images, Shards(tmp_path), 16, 8)[0])
    assert embed(one, images, Shards(tmp_path), 16, 8, last=last)[1] == 1
    assert embed(other, images, Shards(tmp_path), 16, 8, last=last)[1] == 0


def test_a_killed_embed_goes_on_from_the_parts_it_had(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "PART_ROWS", 3)
    images = images_of(tmp_path, {name: (20 * number, 90, 10) for number, name in enumerate("abcdefgh")})
    undisturbed, _ = embed(Backbone("counted", Counted(), 3, 16), images, Shards(tmp_path), 16, 2)
    assert len(list((tmp_path / ".checkpoints").rglob("*.npy"))) == 3, "kept until what is returned is written"
    Parts(undisturbed.info).remove()
    assert list((tmp_path / ".checkpoints").iterdir()) == []
    trunk = Dying(after=5)
    with pytest.raises(KeyboardInterrupt):
        embed(Backbone("counted", trunk, 3, 16), images, Shards(tmp_path), 16, 2)
    trunk.after, trunk.shown = 8, 0
    resumed, _ = embed(Backbone("counted", trunk, 3, 16), images, Shards(tmp_path), 16, 2)
    assert trunk.shown == 5  # the first part, of three, was kept
    np.testing.assert_array_equal(resumed.features, undisturbed.features)


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"nonsense"])
def test_a_part_that_cannot_be_read_is_made_again(tmp_path, monkeypatch, damage):
    monkeypatch.setattr(features, "PART_ROWS", 2)
    images = images_of(tmp_path, {name: (20 * number, 90, 10) for number, name in enumerate("abcd")})
    trunk = Dying(after=2)
    with pytest.raises(KeyboardInterrupt):
        embed(Backbone("counted", trunk, 3, 16), images, Shards(tmp_path), 16, 2)
    (part,) = (tmp_path / ".checkpoints").rglob("*.npy")
    part.write_bytes(damage)
    trunk.after, trunk.shown = 9, 0
    embed(Backbone("counted", trunk, 3, 16), images, Shards(tmp_path), 16, 2)
    assert trunk.shown == 4


@pytest.mark.parametrize("odd", [float("nan"), 1e5])
def test_features_that_are_no_numbers_are_refused_by_the_photo(tmp_path, odd):
    class Odd(MeanColour):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            found = super().forward(images)
            return torch.where(found[:, :1] < 0.3, odd, found)

    images = images_of(tmp_path, {"bright": (200, 200, 200), "dark": (10, 10, 10)})
    with pytest.raises(ContractError, match=r"features of 1 photo that are no numbers, or beyond 65,504 \(first: dark\)"):
        embed(Backbone("odd", Odd(), 3, 16), images, Shards(tmp_path), 16, 2)


class Dying(Counted):
    """Shows no more than `after` images."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.shown + len(images) > self.after:
            raise KeyboardInterrupt
        return super().forward(images)


def test_two_machines_make_the_features_that_one_makes(tmp_path):
    """Two launchers of torchrun that find each other by address, in one folder, as on a shared file system."""
    (tmp_path / "data" / "shards").mkdir(parents=True)
    images = images_of(tmp_path / "data" / "shards", {f"{number:02}": (9 * number, 200 - 7 * number, 90) for number in range(21)})
    write_table(tmp_path / paths.IMAGES, images, IMAGES)
    (tmp_path / "params.yaml").write_text(DEFAULTS.read_text())
    stage = str(Path(__file__).parents[2] / "stages" / "embed.py")
    runpy.run_path(stage)["main"]()
    alone = read_embeddings(paths.EMBEDDINGS).features.copy()
    paths.metrics_of("embed").unlink()
    address = ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{free_port()}", "--rdzv-id=dermlab"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", *address]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    machines = [
        subprocess.Popen([*torchrun, f"--node-rank={rank}", stage], env=environment, stdout=subprocess.PIPE, text=True) for rank in (0, 1)
    ]
    said = "".join(machine.communicate(timeout=240)[0] for machine in machines)
    assert [machine.returncode for machine in machines] == [0, 0]
    assert said.count("embed: 21 images") == 1
    assert paths.metrics_of("embed").exists()
    np.testing.assert_allclose(read_embeddings(paths.EMBEDDINGS).features, alone, atol=0.02, rtol=0.02)
