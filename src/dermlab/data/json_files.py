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


def read_json(path: Path | str) -> Any:
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ContractError(f"{path} does not exist. Run the stage that writes it: `dvc repro`.") from error
    except json.JSONDecodeError as error:
        raise ContractError(f"{path} is not valid JSON (line {error.lineno}: {error.msg}).") from error


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
