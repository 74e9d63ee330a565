"""Photos in a folder against the same photos in shards, and one photo from a cold start.

Photos of the phantom, stored as `pull` stores them. Ours is `Predictor` over a folder of those files; the peer is what `evaluate` does,
which reads them out of a shard (`over_images`). Ours makes of each file what `pull` would have stored, which the peer has no need of.
Besides: seconds that the command `dermlab predict PHOTO` takes, beside those that Python takes to import torch and nothing else. The
network is the default backbone with an untrained head. Goal: 0.8 of the peer's rate.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from harness import arguments, in_turn, record

from dermlab.data.classes import Classes
from dermlab.data.shards import Shards, shard_name, write_shard
from dermlab.model.backbones import create_backbone
from dermlab.model.classifier import FusedClassifier
from dermlab.model.forward import over_images
from dermlab.model.images import ImageReader
from dermlab.model.saved import TrainedModel, save_model
from dermlab.phantom.clinic import LEAST_IMAGES, simulate
from dermlab.phantom.drawing import draw
from dermlab.phantom.recipes import Recipe
from dermlab.predict.photos import photos_in
from dermlab.predict.predictor import MAX_PIXELS, Predictor
from dermlab.pull.develop import stored_jpeg
from dermlab.run.machine import read_machine

PHOTOS, STORED, SEEN = 512, 160, 128  # how many; their shorter side, and that of what the network sees, as params.yaml has them


def stored(recipe: Recipe) -> bytes:
    return stored_jpeg(draw(recipe), STORED, MAX_PIXELS)


def write_photos(folder: Path, shards: Path, count: int) -> pd.DataFrame:
    """`count` photos as files and as one shard; the shard's rows."""
    folder.mkdir()
    shards.mkdir()
    whole = [recipe for recipe in simulate(2 * count + LEAST_IMAGES, seed=17).recipes if not recipe.spoil][:count]
    with ProcessPoolExecutor() as executor:
        jpegs = list(executor.map(stored, whole, chunksize=32))
    names = [f"{number:05d}" for number in range(count)]
    for name, jpeg in zip(names, jpegs, strict=True):
        (folder / f"{name}.jpg").write_bytes(jpeg)
    write_shard(shards / shard_name(0), names, jpegs)
    return pd.DataFrame({"image_id": names, "shard": 0, "row": range(count)})


def write_model(folder: Path) -> None:
    torch.manual_seed(17)
    classes = Classes(tuple(f"class {number}" for number in range(25)))
    module = FusedClassifier(create_backbone("lite0", SEEN), 0, len(classes.names)).eval()
    prior = np.full(len(classes.names), 1 / len(classes.names))
    save_model(TrainedModel(module, classes, (), SEEN, "lite0", prior, STORED), folder)


def from_folder(predictor: Predictor, folder: Path) -> None:
    assert not any(prediction.error for prediction in predictor(photos_in(folder)))


def from_shards(predictor: Predictor, rows: pd.DataFrame, shards: Path) -> None:
    model, nothing = predictor.model, torch.zeros(len(rows), 0)
    reader = ImageReader(Shards(shards), SEEN, read_machine().loaders)
    width = len(model.classes.names)
    over_images(model.module, lambda images, where: model.module(images, nothing[where]), width, rows, reader, read_machine().batch_size)


def command(*words: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", *words], env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    options = arguments(__doc__)
    count, rounds = (PHOTOS // 16, 1) if options.quick else (PHOTOS, options.rounds)
    with tempfile.TemporaryDirectory() as scratch:
        folder, shards, model = (Path(scratch) / name for name in ("photos", "shards", "model"))
        rows = write_photos(folder, shards, count)
        write_model(model)
        predictor = Predictor(model)
        many = {"folder": partial(from_folder, predictor, folder), "shards": partial(from_shards, predictor, rows, shards)}
        took = in_turn(many, rounds)
        cli = "from dermlab.cli import app; app()"
        one = {
            "dermlab predict PHOTO": partial(command, cli, "predict", str(folder / "00000.jpg"), "--model", str(model)),
            "import torch": partial(command, "import torch"),
        }
        cold = in_turn(one, rounds)
    rates = {name: count / seconds for name, seconds in took.items()}
    record(
        "predict", rates["folder"], {"shards": rates["shards"]}, "images/s", 0.8, ("torch", "pillow"),
        ratio=rates["folder"] / rates["shards"], keep=not options.quick, one_photo_s={name: round(s, 2) for name, s in cold.items()},
    )  # fmt: skip


if __name__ == "__main__":
    main()
