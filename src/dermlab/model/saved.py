"""A trained model as a folder: the network, and beside it what was chosen for it on validation; together they predict anywhere."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dermlab.model.calibration import Calibration, load_calibration, save_calibration
from dermlab.model.folder import CALIBRATION, FAMILIARITY, unfit
from dermlab.model.network import Network, load_network, save_network
from dermlab.run import paths


@dataclass
class TrainedModel(Network):
    calibration: Calibration = field(default_factory=Calibration)

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """[N, K+1], rows sum to 1, as they are scored and handed to people. logits: float [N, K+1]."""
        return self.calibration.probabilities(logits, self.prior)


def save_model(model: TrainedModel, folder: Path = paths.MODEL) -> None:
    """The same model gives the same bytes."""
    save_network(model, folder)
    save_calibration(model.calibration, folder)


def load_model(folder: Path = paths.MODEL) -> TrainedModel:
    """On the CPU, in eval mode. Raises ContractError where the folder is incomplete or its files do not fit each other."""
    folder = Path(folder)
    network, calibration = load_network(folder), load_calibration(folder)
    reference, seen = calibration.familiarity.reference, network.module.backbone.features
    if len(reference) and reference.shape[1] != seen:
        raise unfit(folder / FAMILIARITY, ValueError(f"photos of {reference.shape[1]} features, and a backbone of {seen}"))
    _check_fits(calibration, network.classes.names, folder)
    return TrainedModel(**vars(network), calibration=calibration)


def _check_fits(calibration: Calibration, names: tuple[str, ...], folder: Path) -> None:
    """What was chosen a class must be of these classes."""
    for sets in filter(None, (calibration.sets, calibration.case_sets)):
        if len(sets.thresholds) != len(names):
            raise unfit(folder / CALIBRATION, ValueError(f"sets of {len(sets.thresholds)} classes, and a network of {len(names)}"))
    if strange := {name for group in calibration.groups for name in group.classes} - set(names):
        raise unfit(folder / CALIBRATION, ValueError(f"a group of classes holds {min(strange)!r}, which the network does not know"))
