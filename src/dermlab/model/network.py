"""A trained network as two files, `model.safetensors` and `model.json`: what `train` makes. What is chosen on validation lies beside them
(`calibration`)."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from dermlab.data.classes import Classes
from dermlab.data.questionnaire import Questionnaire, as_json, questionnaire_from
from dermlab.model.backbones import create_backbone
from dermlab.model.classifier import FusedClassifier
from dermlab.model.folder import DESCRIPTION, FORMAT, REFERENCE, WEIGHTS, read_description, unfit
from dermlab.model.questionnaire import width_of
from dermlab.run import paths
from dermlab.run.files import atomic_path


@dataclass
class Network:
    module: FusedClassifier  # in eval mode
    classes: Classes
    questions: Questionnaire
    image_size: int  # side in pixels of what the backbone sees
    backbone: str  # its name
    prior: np.ndarray  # float64 [K+1], the share of each class in what training drew
    stored_side: int = 448  # pixels of the shorter side of the photos it was trained on, before its own view
    recipe: dict[str, Any] = field(default_factory=dict)  # the params it was trained with


def save_network(network: Network, folder: Path = paths.MODEL) -> None:
    """Atomic; the same network gives the same bytes. What else lay in the folder goes: it was chosen for another network."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.module.state_dict().items()}
    description = {
        "format": FORMAT,
        "backbone": {"name": network.backbone, "config": network.module.backbone.config},
        "image_size": network.image_size,
        "classes": list(network.classes.targets),
        "questionnaire": as_json(network.questions),
        "prior": [round(float(share), 8) for share in network.prior],
        "stored_side": network.stored_side,
        "recipe": network.recipe,
    }
    with atomic_path(folder) as unfinished:
        unfinished.mkdir()
        save_file(tensors, unfinished / WEIGHTS)
        text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
        (unfinished / DESCRIPTION).write_text(text, encoding="utf-8")


def load_network(folder: Path = paths.MODEL) -> Network:
    """On the CPU, in eval mode. Raises ContractError where the folder is incomplete or its two files do not fit."""
    folder = Path(folder)
    description = read_description(folder)
    classes, questions = Classes(tuple(description["classes"])), questionnaire_from(description["questionnaire"])
    name, size = description["backbone"]["name"], description["image_size"]
    backbone = create_backbone(name, size, pretrained=False, config=description["backbone"]["config"])
    module = FusedClassifier(backbone, width_of(questions), len(classes.names))
    try:
        tensors = load_file(folder / WEIGHTS)
        tensors.pop(REFERENCE, None)
        module.load_state_dict(tensors, strict=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise unfit(folder / WEIGHTS, error) from error
    module.eval().to(memory_format=torch.channels_last)
    prior = np.array(description["prior"])
    return Network(module, classes, questions, size, name, prior, description["stored_side"], description["recipe"])
