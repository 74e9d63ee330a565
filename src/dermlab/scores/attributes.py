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
    kept = {name: rows[column] for name, column in named(rows).items() if not (parting and rows[column].map(_is_several).any())}
    return {(name, group): inside for name, column in kept.items() for group, inside in groups_of(column).items()}


def alike(rows: pd.DataFrame) -> list[str]:
    """The attributes that have one value for all rows, or none: nobody can be told apart by them."""
    return [name for name, column in named(rows).items() if len(set(map(_as_written, rows[column]))) <= 1]


def texts(rows: pd.DataFrame) -> list[str]:
    """The attributes that make no groups for having more than MOST values."""
    return [name for name, column in named(rows).items() if len(_values(rows[column])) > MOST]


def named(rows: pd.DataFrame) -> dict[str, str]:
    """What an attribute is called -> its column. Where patients were asked what the source notes too, the note is called so."""
    asked = {column.removeprefix(PREFIX): column for column in rows.columns if column.startswith(PREFIX)}
    notes = {column.removeprefix(NOTE_PREFIX): column for column in rows.columns if column.startswith(NOTE_PREFIX)}
    return asked | {f"{name} (noted)" if name in asked else name: column for name, column in notes.items()}


def _as_written(value: object) -> str:
    return str(sorted(value)) if _is_several(value) else str(value)


def _is_several(value: object) -> bool:
    return isinstance(value, tuple | list | np.ndarray)


def groups_of(column: pd.Series) -> dict[str, np.ndarray]:
    """Group -> bool [N], those without a row left out and those who said nothing last; empty where the column makes no groups."""
    answered = column.notna().to_numpy()
    if pd.api.types.is_numeric_dtype(column):
        found = _thirds(column.to_numpy(float), answered)
    else:
        several, names = _several(column), sorted(_values(column), key=_in_order)
        found = {name: np.array([name in value for value in several]) for name in names} if len(names) <= MOST else {}
    found = {name: inside for name, inside in found.items() if inside.any()}
    if not found or (len(found) == 1 and answered.all()):
        return {}
    nothing = _nothing(column)
    silent = ~answered | found.pop(nothing, False)  # some write that there is no answer
    return {**found, **({nothing: silent} if silent.any() else {})}


def _several(column: pd.Series) -> list[tuple[str, ...]]:
    """What each row said, nothing where it did not."""
    return [() if pd.api.types.is_scalar(v) and pd.isna(v) else v if isinstance(v, tuple) else (str(v),) for v in column]


def _values(column: pd.Series) -> set[str]:
    return set() if pd.api.types.is_numeric_dtype(column) else {name for said in _several(column) for name in said}


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
