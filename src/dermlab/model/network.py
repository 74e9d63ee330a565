"""A trained network as two files, `model.safetensors` and `model.json`: what `train` makes. What is chosen on validation lies beside them
(`calibration`)."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from dermlab.data.classes import Classes
from dermlab.data.questionnaire import Questionnaire, as_json
from dermlab.model.backbones import create_backbone
from dermlab.model.classifier import FusedClassifier
from dermlab.model.folder import DESCRIPTION, FORMAT, REFERENCE, WEIGHTS, Description, read_description, unfit
from dermlab.model.questionnaire import width_of
from dermlab.run import paths
from dermlab.run.errors import ContractError, DermlabError
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
    _check_weights(description, folder)
    module = _module(description, folder)
    try:
        tensors = load_file(folder / WEIGHTS)
        tensors.pop(REFERENCE, None)
        module.load_state_dict(tensors, strict=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise unfit(folder / WEIGHTS, error) from error
    module.eval().to(memory_format=torch.channels_last)
    return Network(
        module, Classes(description.classes), description.questionnaire, description.image_size, description.backbone.name,
        np.array(description.prior), description.stored_side, description.recipe,
    )  # fmt: skip


def _module(description: Description, folder: Path) -> FusedClassifier:
    """Without weights."""
    said = description.backbone
    try:
        backbone = create_backbone(said.name, description.image_size, pretrained=False, config=said.config)
        return FusedClassifier(backbone, width_of(description.questionnaire), len(description.classes) + 1)
    except (DermlabError, ImportError, NotImplementedError):  # said already; an extra that is not installed; built without memory
        raise
    except Exception as error:  # a library raises whatever a configuration of nobody makes it raise
        raise ContractError(
            f"{folder / DESCRIPTION}: backbone: {said.name} cannot be built as described ({' '.join(str(error).split())[:200]}). "
            "Restore it: `dvc checkout train`."
        ) from error


def _check_weights(description: Description, folder: Path) -> None:
    """Before any memory is taken: that the weights are of a network as described, so that it is no larger than their file. Where a library
    cannot build one without memory, it is left to the loading, and so is the smallest, for which torch would import for a second what it
    needs to pretend."""
    if description.backbone.name == "lite0":
        return
    try:
        with torch.device("meta"):
            wanted = {name: list(tensor.shape) for name, tensor in _module(description, folder).state_dict().items()}
    except (NotImplementedError, ContractError):  # `load_network` builds it with memory, and says what is wrong
        return
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            found = {name: file.get_slice(name).get_shape() for name in file.keys() if name != REFERENCE}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise unfit(folder / WEIGHTS, error) from error
    if other := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        said = f"{len(other)} tensors are others, first {other[0]}: {found.get(other[0])} and not {wanted.get(other[0])}"
        raise unfit(folder / WEIGHTS, ValueError(said))
