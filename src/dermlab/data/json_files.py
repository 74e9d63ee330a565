"""JSON that stages hand on: metrics and descriptions, the same bytes for the same values."""

import json
import math
from pathlib import Path
from typing import Any

from dermlab.run.errors import ContractError
from dermlab.run.files import write_text


def write_json(path: Path | str, value: Any) -> None:
    """Stable JSON: floats rounded to 4 decimals, non-finite floats refused (NaN always shows as changed in a diff)."""
    write_text(path, json.dumps(_rounded(value, str(path)), indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path | str, kind: type[dict] | type[list] = dict) -> Any:
    """What `write_json` wrote, of this kind. Raises ContractError where the file is missing, or holds anything else."""
    path = Path(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ContractError(f"{path} does not exist. Run the stage that writes it: `dvc repro`.") from error
    except UnicodeDecodeError as error:
        raise ContractError(f"{path} is not valid JSON (byte {error.start} is not UTF-8).") from error
    except json.JSONDecodeError as error:
        raise ContractError(f"{path} is not valid JSON (line {error.lineno}: {error.msg}).") from error
    if not isinstance(value, kind):
        raise ContractError(
            f"{path} is not as it was written: it holds a {type(value).__name__} and no {kind.__name__}. Run what writes it anew."
        )
    return value


def _rounded(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        return {str(key): _rounded(item, f"{where}: {key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item, where) for item in value]
    if hasattr(value, "item") and not isinstance(value, str | bytes):  # numpy scalars
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ContractError(f"{where} would hold {value}, which is not a number. Leave the key out instead.")
        return round(value, 4)
    return value
