"""One person under one name, one class under one: spellings that differ in blanks, case or accents are joined, and that is said."""

import re
import unicodedata

import pandas as pd

from dermlab.run.errors import SourceError


def joined_patients(column: pd.Series, where: str) -> tuple[pd.Series, list[str]]:
    """One spelling a patient. `1` and `1.0` are one, as a spreadsheet writes a number that once stood beside an empty cell; `1` and `01`
    are a doubt. The index is the line. Raises SourceError, which names lines and no patient."""
    spelt = column.map(_spelling)
    without_zeros = spelt.map(lambda name: name.lstrip("0") or "0")
    spellings = spelt.groupby(without_zeros).nunique()
    if (spellings > 1).any():
        lines = spelt[without_zeros == spellings.index[spellings > 1][0]].drop_duplicates().index[:2]
        raise SourceError(
            f"{where}, lines {' and '.join(map(str, lines))}: two patients differ in leading zeros alone. If they are one person "
            "write them alike; if not, give one another name. A guess could put one person on both sides of the split."
        )
    joined, alike = column.nunique() - spelt.nunique(), "(blanks, case, accents, `.0`)"
    said = [f"{joined} other spellings of a patient {alike} are joined with the first"] if joined else []
    return column.groupby(spelt).transform("first"), said


def joined_labels(column: pd.Series) -> tuple[pd.Series, list[str]]:
    """The commonest spelling of each class, on one line."""
    written, column = column, column.map(lambda name: " ".join(name.split()), na_action="ignore")
    alike = column.map(lambda name: " ".join(unicodedata.normalize("NFC", name).casefold().split()), na_action="ignore")
    commonest = column.groupby(alike).agg(lambda names: names.value_counts().sort_index().idxmax())
    joined = sorted(set(written.dropna()) - set(commonest))
    said = [f"labels joined with another spelling: {', '.join(map(repr, joined[:9]))}"] if joined else []
    return alike.map(commonest), said


def _spelling(name: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", name).casefold().split())
    return re.sub(r"^(\d+)\.0+$", r"\1", name)
