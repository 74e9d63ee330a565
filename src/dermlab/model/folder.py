"""A model's folder: how its files are called, and what model.json says. Needs no torch."""

from pathlib import Path
from typing import Any

from dermlab.data.json_files import read_json
from dermlab.run.errors import ContractError

FORMAT = 5
WITH_CALIBRATION = 4  # the format before: model.json and model.safetensors held the network and what validation chose
REFERENCE = "familiarity.reference"  # of that format, the one tensor beside those of the network
WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
CALIBRATION, FAMILIARITY = "calibration.json", "familiarity.safetensors"


def read_description(folder: Path) -> dict[str, Any]:
    """What model.json says. Raises ContractError for a format that this version does not read."""
    description = read_json(folder / DESCRIPTION)
    if description.get("format") not in (FORMAT, WITH_CALIBRATION):
        raise ContractError(
            f"{folder / DESCRIPTION} has format {description.get('format')}; this version reads {WITH_CALIBRATION} and {FORMAT}. Train it "
            "again (`dvc repro train`), or use it with the version that made it: `git checkout` the commit it came from."
        )
    return description


def unfit(path: Path, error: Exception) -> ContractError:
    return ContractError(
        f"{path} is missing, truncated or does not fit {DESCRIPTION} ({' '.join(str(error).split())[:300]}). Restore it: "
        f"`dvc checkout {'calibrate' if path.name in (CALIBRATION, FAMILIARITY) else 'train'}`."
    )
