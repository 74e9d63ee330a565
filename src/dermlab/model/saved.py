"""A trained model as a folder: `model.safetensors` and `model.json`, which together predict anywhere."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from dermlab.data import paths
from dermlab.data.classes import Classes
from dermlab.data.errors import ContractError
from dermlab.data.files import atomic_path, read_json
from dermlab.data.questionnaire import Questionnaire, as_json, questionnaire_from
from dermlab.model.backbones import create_backbone
from dermlab.model.classifier import FusedClassifier
from dermlab.model.questionnaire import width_of
from dermlab.scores.familiarity import Familiarity, nobody
from dermlab.scores.tiers import Tiers

FORMAT = 4
REFERENCE = "familiarity.reference"  # the one tensor beside those of the network


@dataclass
class TrainedModel:
    """`module`: the FusedClassifier, in eval mode. `temperature`: divides the logits before the softmax.
    `image_size`: side in pixels of what the backbone sees. `backbone`: its name. `prior`: float64 [K+1], the share of each class in what
    training drew. `tau`: of the post-hoc adjustment that validation chose (scores/adjustment.py). `stored_side`: pixels of the shorter
    side of the photos it was trained on, before its own view. `tiers`: when to answer (scores/tiers.py). `familiarity`: what is like the
    photos it was validated on (scores/familiarity.py). `recipe`: the params it was trained with."""

    module: FusedClassifier
    classes: Classes
    questions: Questionnaire
    temperature: float
    image_size: int
    backbone: str
    prior: np.ndarray
    tau: float = 0.0
    stored_side: int = 448
    tiers: Tiers = field(default_factory=lambda: Tiers(None, None))
    recipe: dict[str, Any] = field(default_factory=dict)
    familiarity: Familiarity = field(default_factory=nobody)


def save_model(model: TrainedModel, folder: Path = paths.MODEL) -> None:
    """Atomic; the same model gives the same bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.module.state_dict().items()}
    tensors[REFERENCE] = torch.from_numpy(model.familiarity.reference)
    description = {
        "format": FORMAT,
        "backbone": {"name": model.backbone, "config": model.module.backbone.config},
        "image_size": model.image_size,
        "classes": list(model.classes.targets),
        "questionnaire": as_json(model.questions),
        "temperature": round(model.temperature, 6),
        "prior": [round(float(share), 8) for share in model.prior],
        "tau": model.tau,
        "stored_side": model.stored_side,
        "tiers": asdict(model.tiers),
        "familiarity": model.familiarity.threshold,
        "recipe": model.recipe,
    }
    with atomic_path(folder) as unfinished:
        unfinished.mkdir()
        save_file(tensors, unfinished / "model.safetensors")
        text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
        (unfinished / "model.json").write_text(text, encoding="utf-8")


def load_model(folder: Path = paths.MODEL) -> TrainedModel:
    """On the CPU, in eval mode. Raises ContractError where the folder is incomplete or its two files do not fit."""
    folder = Path(folder)
    description = read_json(folder / "model.json")
    if description.get("format") != FORMAT:
        raise ContractError(f"{folder / 'model.json'} has format {description.get('format')}, this version reads {FORMAT}.")
    classes, questions = Classes(tuple(description["classes"])), questionnaire_from(description["questionnaire"])
    name, size = description["backbone"]["name"], description["image_size"]
    backbone = create_backbone(name, size, pretrained=False, config=description["backbone"]["config"])
    module = FusedClassifier(backbone, width_of(questions), len(classes.names))
    try:
        tensors = load_file(folder / "model.safetensors")
        reference = tensors.pop(REFERENCE).numpy()
        module.load_state_dict(tensors, strict=True)
    except (OSError, SafetensorError, RuntimeError, KeyError) as error:
        raise ContractError(
            f"{folder / 'model.safetensors'} is missing, truncated or does not fit model.json ({' '.join(str(error).split())[:300]}). "
            "Restore it: `dvc checkout train`."
        ) from error
    module.eval().to(memory_format=torch.channels_last)
    return TrainedModel(
        module, classes, questions, description["temperature"], size, name, np.array(description["prior"]), description["tau"],
        description["stored_side"], Tiers(**description["tiers"]), description["recipe"],
        Familiarity(reference, description["familiarity"]),
    )  # fmt: skip
