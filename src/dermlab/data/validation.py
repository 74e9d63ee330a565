"""What a trained network makes of the validation split: all that `calibrate` chooses from. No network is needed to choose again."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.files import atomic_path


@dataclass(frozen=True)
class Validation:
    """N rows, sorted by image_id; K target classes, and `other` as the last of K+1."""

    image_ids: np.ndarray  # str [N]
    labels: np.ndarray  # int64 [N], 0..K
    logits: np.ndarray  # float32 [N, K+1], before any temperature
    features: np.ndarray  # float16 [N, D], of the backbone that made the logits


def write_validation(validation: Validation, folder: Path = paths.VALIDATION) -> None:
    with atomic_path(folder) as unfinished:
        unfinished.mkdir()
        for name, array in asdict(validation).items():
            np.save(unfinished / f"{name}.npy", array, allow_pickle=False)


def read_validation(folder: Path = paths.VALIDATION) -> Validation:
    """Raises ContractError where a file is missing, truncated or of another length."""
    try:
        found = Validation(*(np.load(folder / f"{name}.npy", allow_pickle=False) for name in Validation.__dataclass_fields__))
    except (OSError, ValueError, EOFError) as error:
        raise ContractError(f"{folder} is missing or truncated ({error}). Restore it: `dvc checkout train`.") from error
    lengths = {name: len(array) for name, array in asdict(found).items()}
    if len(set(lengths.values())) != 1:
        raise ContractError(f"{folder}: {', '.join(f'{n} {name}' for name, n in lengths.items())}. Restore it: `dvc checkout train`.")
    return found
