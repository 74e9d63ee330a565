"""What validation chose for a network, in two files beside it. Needs no torch."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dermlab.model.folder import (
    CALIBRATION,
    FAMILIARITY,
    REFERENCE,
    WEIGHTS,
    WITH_CALIBRATION,
    Said,
    SaidTiers,
    Similarity,
    Tau,
    Temperature,
    read_description,
    read_said,
    unfit,
)  # fmt: skip
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.files import atomic_path, write_text
from dermlab.scores.adjustment import adjusted
from dermlab.scores.cases import LOGMEAN, POOLS, Pooling
from dermlab.scores.familiarity import Familiarity
from dermlab.scores.groups import Group
from dermlab.scores.probabilities import probabilities
from dermlab.scores.sets import Sets
from dermlab.scores.tiers import Tiers


@dataclass(frozen=True)
class Calibration:
    """What is chosen on validation, and applied to whatever the network says afterwards."""

    temperature: float = 1.0  # divides the logits before the softmax
    tau: float = 0.0  # of the post-hoc adjustment that is applied (scores/adjustment.py)
    chosen_tau: float = 0.0  # the one that validation would choose, applied or not
    tiers: Tiers = field(default_factory=Tiers)  # when to answer
    familiarity: Familiarity = field(default_factory=Familiarity)  # what is like the photos of validation
    chosen_tau_holds: bool = False  # it was better on validation patients that did not choose it, too
    pooling: Pooling = field(default_factory=Pooling)  # how photos of one case are put together
    case_tiers: Tiers | None = None  # when to answer a case, whose pooled answer is surer than a photo's; None where none was seen
    sets: Sets | None = None  # of classes among which a photo's is; None where validation has too few patients
    case_sets: Sets | None = None  # the same of a case's pooled probabilities; None, too, where each case is a photo
    groups: tuple[Group, ...] = ()  # of classes, as data/groups.csv names them, and from which probability on a photo is called of one

    def probabilities(self, logits: np.ndarray, prior: np.ndarray) -> np.ndarray:
        """[N, K+1], rows sum to 1. logits: float [N, K+1]; prior: [K+1], of the network."""
        return adjusted(probabilities(logits, self.temperature), prior, self.tau, self.temperature)


class SaidPooling(Said):
    how: Literal[POOLS] = LOGMEAN
    independence: float = Field(0.0, ge=0, le=1)


class SaidGroup(Said):
    """As `scores.groups.Group`."""

    name: str = Field(max_length=40)
    classes: tuple[str, ...]
    promise: float = Field(ge=0, le=1)
    threshold: float | None = None
    case_threshold: float | None = None


class SaidSets(Said):
    """As `scores.sets.Sets`."""

    coverage: float = Field(gt=0, lt=1)
    thresholds: tuple[float, ...]
    chosen_by: tuple[str, ...]


class SaidCalibration(Said):
    """calibration.json."""

    temperature: Temperature
    tau: Tau
    chosen_tau: Tau
    tiers: SaidTiers
    familiarity: Similarity
    chosen_tau_holds: bool = False
    pooling: SaidPooling = SaidPooling()
    case_tiers: SaidTiers | None = None
    sets: SaidSets | None = None
    case_sets: SaidSets | None = None
    groups: tuple[SaidGroup, ...] = ()


def save_calibration(calibration: Calibration, folder: Path = paths.MODEL) -> None:
    """Two files, each whole; the same calibration gives the same bytes."""
    said = {**asdict(calibration), "familiarity": calibration.familiarity.threshold}
    with atomic_path(folder / FAMILIARITY) as unfinished:
        save_file({"reference": calibration.familiarity.reference}, unfinished)
    write_text(folder / CALIBRATION, json.dumps(said, indent=2) + "\n")


def load_calibration(folder: Path) -> Calibration:
    """Raises ContractError where there is none, for a network's own confidence is not what is promised."""
    description = read_description(folder)
    if description.format == WITH_CALIBRATION:
        familiarity = Familiarity(_reference(folder / WEIGHTS, REFERENCE), description.familiarity)
        return Calibration(description.temperature, 0.0, description.tau, Tiers(**description.tiers.model_dump()), familiarity)
    if not (folder / CALIBRATION).exists():
        raise ContractError(f"{folder} holds a network without {CALIBRATION}. Run `dvc repro calibrate`, which takes seconds.")
    said = read_said(folder / CALIBRATION, SaidCalibration, "calibrate").model_dump()
    familiarity = Familiarity(_reference(folder / FAMILIARITY, "reference"), said["familiarity"])
    tiers = {name: said[name] and Tiers(**said[name]) for name in ("tiers", "case_tiers")}
    sets = {name: said[name] and Sets(**said[name]) for name in ("sets", "case_sets")}
    groups = tuple(Group(**group) for group in said["groups"])
    return Calibration(**{**said, **tiers, "familiarity": familiarity, "pooling": Pooling(**said["pooling"]), **sets, "groups": groups})


def _reference(path: Path, name: str) -> np.ndarray:
    """Of `Familiarity`."""
    try:
        with safe_open(path, framework="np") as file:
            reference = file.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise unfit(path, error) from error
    if reference.ndim != 2 or reference.dtype.kind != "f" or not np.isfinite(reference).all():
        raise unfit(path, ValueError(f"{name} holds no photos' features"))
    return reference
