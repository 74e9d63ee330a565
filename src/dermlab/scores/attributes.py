"""By what patients can be told apart: what they answered (age, sex, site, skin type), whether they did, and what the source notes of them
(skin tone as clinicians judged it, the camera). N rows.
"""

import numpy as np
import pandas as pd

from dermlab.data.questionnaire import PREFIX
from dermlab.data.tables import NOTE_PREFIX

MOST = 12  # groups of one attribute: more are no groups but texts
NOT_ANSWERED, NOT_NOTED = "not answered", "not noted"


def attributes(rows: pd.DataFrame, parting: bool = False) -> dict[tuple[str, str], np.ndarray]:
    """(attribute, group) -> bool [N], those who said nothing last; a row that gave several answers is in several groups. An attribute of
    one value, of none, or of texts makes no groups. `parting`: only attributes that put each patient into one group, which a question
    with several answers does not. rows: of the catalog."""
    kept = [column for column in columns(rows) if not (parting and rows[column].map(_is_several).any())]
    return {(name_of(column), group): inside for column in kept for group, inside in groups_of(rows[column]).items()}


def alike(rows: pd.DataFrame) -> list[str]:
    """The attributes that have one value for all rows, or none: nobody can be told apart by them."""
    return [name_of(column) for column in columns(rows) if len(set(map(_as_written, rows[column]))) <= 1]


def name_of(column: str) -> str:
    return column.removeprefix(PREFIX).removeprefix(NOTE_PREFIX)


def _as_written(value: object) -> str:
    return str(sorted(value)) if _is_several(value) else str(value)


def _is_several(value: object) -> bool:
    return isinstance(value, tuple | list | np.ndarray)


def columns(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows.columns if name.startswith((PREFIX, NOTE_PREFIX))]


def groups_of(column: pd.Series) -> dict[str, np.ndarray]:
    """Group -> bool [N], those without a row left out and those who said nothing last; empty where the column makes no groups."""
    answered = column.notna().to_numpy()
    if pd.api.types.is_numeric_dtype(column):
        found = _thirds(column.to_numpy(float), answered)
    else:
        several = [value if isinstance(value, tuple) else (str(value),) for value in column.where(answered, None)]
        names = sorted({name for value, said in zip(several, answered, strict=True) if said for name in value}, key=_in_order)
        found = {name: np.array([name in value for value in several]) & answered for name in names} if len(names) <= MOST else {}
    found = {name: inside for name, inside in found.items() if inside.any()}
    if not found or (len(found) == 1 and answered.all()):
        return {}
    return {**found, **({_nothing(column): ~answered} if not answered.all() else {})}


def _nothing(column: pd.Series) -> str:
    return NOT_NOTED if str(column.name).startswith(NOTE_PREFIX) else NOT_ANSWERED


def _thirds(values: np.ndarray, answered: np.ndarray) -> dict[str, np.ndarray]:
    if not answered.any():
        return {}
    low, high = np.quantile(values[answered], [1 / 3, 2 / 3], method="nearest")
    return {
        f"up to {low:g}": answered & (values <= low),
        f"{low:g} to {high:g}": answered & (values > low) & (values <= high),
        f"over {high:g}": answered & (values > high),
    }


def _in_order(name: str) -> tuple[bool, float, str]:
    """Numbers by size, before words."""
    number = name.isdecimal()
    return not number, float(name) if number else 0.0, name
