"""From the image that a table names to the object that the source holds: exactly, else as people and systems write paths differently."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import pandas as pd

from dermlab.lock.spelling import folded, lines_of
from dermlab.run.errors import SourceError
from dermlab.run.objects.keys import is_photo
from dermlab.run.progress import some


def keys_of(named: pd.Series, keys: Sequence[str], where: str) -> tuple[pd.Series, list[str]]:
    """The key of each row (None where no object answers to it), and what to say of how they were found. `named`: index is the line.

    In order: the same text; `\\` for `/` and a leading `./` removed; composed and decomposed accents; upper and lower case; without the
    extension; the end of the path. Each only where one object alone answers. Raises SourceError where several do.
    """
    if (climbs := named.map(lambda name: ".." in PurePosixPath(name.replace("\\", "/")).parts)).any():
        row = named[climbs][:1]
        raise SourceError(f"{where}, {lines_of(row)}: {row.iat[0]!r} points outside the source. Write paths without `..`.")
    found, said = pd.Series(None, index=named.index, dtype=object), []
    for what, form in FORMS.items():
        open_rows = named[found.isna()]
        if open_rows.empty:
            break
        of_form: dict[str, list[str]] = {}
        for key in keys:
            of_form.setdefault(form(key), []).append(key)
        answers = open_rows.map(lambda name, of_form=of_form, form=form: [key for key in of_form.get(form(name), []) if _may_be(name, key)])
        several = answers[answers.map(len) > 1]
        if len(several):
            row, (one, other, *_) = named[several.index[:1]], several.iloc[0]
            raise SourceError(f"{where}, {lines_of(row)}: {row.iat[0]!r} may be {one!r} or {other!r}. Write the path as the source has it.")
        one = answers[answers.map(len) == 1]
        found.loc[one.index] = one.map(lambda candidates: candidates[0])
        if len(one) and what:
            said.append(f"{some(len(one), 'image is', 'images are')} found {what}")
    return found, said


def share_named(cells: pd.Series, keys: Sequence[str]) -> float:
    """Which share of the rows name a file of their own: by a photo's extension, or as some key is named, whatever its folder."""
    names = {_last_part_without_extension(key) for key in keys}
    files = {cell for cell in cells.dropna() if is_photo(cell) or _last_part_without_extension(cell) in names}
    return len(files) / max(len(cells), 1)


def _may_be(name: str, key: str) -> bool:
    """Whether one path is the end of the other, or the name is a path of another machine: `x/1.jpg` is not `y/1.jpg`."""
    if re.match(r"[A-Za-z]:[\\/]|[\\/]", name):
        return True
    ours, theirs = (PurePosixPath(_without_extension(path)).parts for path in (name, key))
    shorter = min(len(ours), len(theirs))
    return ours[-shorter:] == theirs[-shorter:]


def _slashes(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./").lstrip("/")


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", _slashes(name))


def _without_case(name: str) -> str:
    return folded(_slashes(name))


def _without_extension(name: str) -> str:
    name = _without_case(name)
    return name.rpartition(".")[0] if is_photo(name) else name


def _last_part(name: str) -> str:
    return PurePosixPath(_without_case(name)).name


def _last_part_without_extension(name: str) -> str:
    return _without_extension(_last_part(name))


FORMS: dict[str, Callable[[str], str]] = {
    "": lambda name: name,
    "with / for \\ in the path": _slashes,
    "with accents written the other way": _composed,
    "by a name in other case, dashes or blanks": _without_case,
    "without the extension": _without_extension,
    "under another folder": _last_part,
    "under another folder and without the extension": _last_part_without_extension,
}
