"""A small model as a folder, and photos beside it that it never saw."""

import io
from pathlib import Path

import numpy as np
import torch
from photos import jpeg
from PIL import Image

from dermlab.data.classes import Classes
from dermlab.data.questionnaire import Question
from dermlab.model.backbones import create_backbone
from dermlab.model.calibration import Calibration
from dermlab.model.classifier import FusedClassifier
from dermlab.model.questionnaire import width_of
from dermlab.model.saved import TrainedModel, save_model
from dermlab.scores.tiers import Tiers

QUESTIONS = (
    Question(name="itching", kind="choice", choices=("no", "yes")),
    Question(name="body_parts", kind="multi", choices=("arm", "leg")),
    Question(name="age", kind="number", low=0, high=90),
)
CLASSES = Classes(("acne", "eczema", "wart"))
SIDE = 40  # of a stored photo


def make_folder(tmp_path: Path) -> Path:
    """A model in `model`, and photos larger than it was trained on, one of them lying on its side, one no photo."""
    torch.manual_seed(0)
    module = FusedClassifier(create_backbone("timm:test_efficientnet", 32, pretrained=False), width_of(QUESTIONS), 4).eval()
    prior = np.full(4, 0.25)
    model = TrainedModel(
        module, CLASSES, QUESTIONS, 32, "timm:test_efficientnet", prior, SIDE, calibration=Calibration(1.3, tiers=Tiers(0.5, 0.9))
    )
    save_model(model, tmp_path / "model")
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for i in range(3):
        (tmp_path / "in" / f"{i}.jpg").write_bytes(large(i))
    (tmp_path / "in" / "deep" / "3.png").write_bytes(large(3, "PNG"))
    (tmp_path / "in" / "4.jpg").write_bytes(b"no photo")
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    return tmp_path


def large(seed: int, kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6 if seed == 1 else 1
    file = io.BytesIO()
    Image.open(io.BytesIO(jpeg(seed))).resize((230, 170)).save(file, kind, exif=exif)
    return file.getvalue()
