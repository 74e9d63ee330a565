"""A folder as the stages before training leave it: 60 tiny images of two colours, easy to tell apart."""

import io
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from defaults import DEFAULTS
from PIL import Image
from rows_in_use import write_rows
from ruamel.yaml import YAML

from dermlab.data.classes import Classes
from dermlab.data.embeddings import write_embeddings
from dermlab.data.questionnaire import Question, write_questionnaire
from dermlab.data.rows import read_rows
from dermlab.data.shards import Shards, shard_name, write_shard
from dermlab.data.tables import MANIFEST, write_table
from dermlab.embed.features import embed
from dermlab.model.backbones import Backbone, create_backbone
from dermlab.train.inputs import Inputs, read_inputs
from dermlab.train.params import Params
from dermlab.train.run import run

CLASSES = Classes(("red", "green"))
QUESTIONS = (Question(name="itching", kind="choice", choices=("no", "yes")),)
COLOURS = {"red": (180, 90, 80), "green": (90, 170, 80), "other": (90, 90, 190)}
ROOT = Path(__file__).parents[2]


def tiny(name: str = "timm:test_efficientnet", image_size: int = 32) -> Backbone:
    """Random weights, always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return create_backbone(name, 32, pretrained=False)


def made_params(**train) -> Params:
    raw = YAML(typ="safe").load(DEFAULTS.read_text()) | {"backbone": "timm:test_efficientnet", "seed": 3}
    raw["train"] |= {"frozen_epochs": 3, "finetune_epochs": 2, "batch_size": 8, "trainable_blocks": 0} | train
    return Params.model_validate(raw)


@dataclass
class Clinic:
    """`manifest`: the baseline's. `create`: stands in for a backbone with weights."""

    folder: Path
    manifest: pd.DataFrame
    questions = QUESTIONS
    embeddings: str = "embeddings"
    create = staticmethod(tiny)
    params = staticmethod(made_params)

    def inputs(self, params: Params, manifest: Path | None = None) -> Inputs:
        at = self.folder
        return read_inputs(
            params,
            at / "source",
            at / "catalog.parquet",
            at / "images.parquet",
            at / "shards",
            at / self.embeddings,
            manifest or at / "manifest.parquet",
        )

    def train(self, into: Path, params: Params, manifest: Path | None = None, **asked) -> dict:
        """Runs in `into`: the model, the curves, the checkpoints and the log lie there."""
        inputs = self.inputs(params, manifest)
        into.mkdir(parents=True, exist_ok=True)
        with chdir(into):  # in a DVC repository dvclive signals editors through one file, which tests at work side by side would share
            return run(params, inputs, into / "model", into / "validation", into / "curves", checkpoint_root=into, create=tiny, **asked)


@pytest.fixture(scope="session")
def clinic(tmp_path_factory) -> "Clinic":
    folder = tmp_path_factory.mktemp("clinic")
    random, jpegs, labels = np.random.default_rng(0), [], []
    for i in range(60):
        label = ("red", "green", "red", "green", "other")[i % 5]
        noise = random.normal(0, 8, (36, 44, 3)) + np.array(COLOURS[label])
        file = io.BytesIO()
        Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(file, "JPEG")
        jpegs.append(file.getvalue())
        labels.append(label)
    ids = [f"photo-{i:02d}" for i in range(60)]
    (folder / "shards").mkdir()
    (folder / "source").mkdir()
    write_shard(folder / "shards" / shard_name(0), ids, jpegs)
    CLASSES.write(folder / "source" / "classes.json")
    write_questionnaire(folder / "source" / "questionnaire.json", QUESTIONS)
    split = ["train"] * 41 + ["val"] * 13 + ["test"] * 6
    catalog = pd.DataFrame(
        {
            "image_id": ids, "patient_id": ids, "case_id": ids, "diagnosis": labels, "label": labels, "split": split,
            "width": 44, "height": 36, "sha256": "-", "phash": 0, "shard": 0, "row": range(60),
            "q_itching": [("no", "yes", None)[i % 3] for i in range(60)],
        }
    )  # fmt: skip
    write_rows(catalog, QUESTIONS, folder / "catalog.parquet", folder / "images.parquet")
    write_embeddings(embed(tiny(), catalog, Shards(folder / "shards"), 32, 16, checkpoints=folder / "parts")[0], folder / "embeddings")
    manifest = catalog[["image_id", "label", "split"]].assign(weight=1.0, origin="kept", labels=None)
    write_table(folder / "manifest.parquet", manifest, MANIFEST)
    return Clinic(folder, manifest)


class ClinicOfViT(Clinic):
    """Its network is a ViT, and what learns are adapters and their average."""

    @staticmethod
    def params(**train) -> Params:
        knobs = {"adapt": "lora", "lora_rank": 4, "lr": 0.01, "ema": 0.5, "trainable_blocks": 2, "frozen_epochs": 0}
        return made_params(**knobs | train).model_copy(update={"backbone": "timm:test_vit"})


@pytest.fixture(scope="session")
def clinic_of_vit(clinic) -> ClinicOfViT:
    rows = read_rows(clinic.folder / "catalog.parquet", clinic.folder / "images.parquet")
    network, at = tiny("timm:test_vit"), clinic.folder / "embeddings-of-vit"
    write_embeddings(embed(network, rows, Shards(clinic.folder / "shards"), 32, 16, checkpoints=clinic.folder / "parts-of-vit")[0], at)
    return ClinicOfViT(clinic.folder, clinic.manifest, at.name)


@pytest.fixture(scope="session")
def finished(clinic, tmp_path_factory) -> tuple[Path, dict]:
    """One whole run: its folder and metrics."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, clinic.train(folder, clinic.params())
