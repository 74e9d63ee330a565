"""Which photos are asked about, and what was answered about them. Needs no torch, so that a mistyped path is told at once."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dermlab.data.questionnaire import Question
from dermlab.run.errors import SourceError
from dermlab.run.objects.keys import PHOTOS, is_photo, litter_in

CASE = "case_id"


def photos_of(paths: Sequence[Path]) -> list[Path]:
    """Photos and the photos below folders, each once. Raises SourceError."""
    return list(dict.fromkeys(photo for path in paths for photo in photos_in(path)))


def photos_in(path: Path) -> list[Path]:
    """A photo, or the photos below a folder, sorted. Raises SourceError where there are none."""
    if not path.exists():
        raise SourceError(f"{path} does not exist.")
    if path.is_file():
        return [path]
    files = [file for file in path.rglob("*") if is_photo(file.name) and file.is_file()]
    found = sorted(file for file in files if litter_in(file.relative_to(path).as_posix()) is None)
    if not found:
        raise SourceError(f"{path} holds no photos ({', '.join(PHOTOS)}).")
    return found


def read_answers(path: Path, questions: tuple[Question, ...]) -> dict[str, dict[str, Any]]:
    """photo -> question -> answer, of a CSV with a column `image`, one a question (`age_group` or `q_age_group`; several answers of
    one question are joined by |), and perhaps CASE, which says whose photos are one case. Raises SourceError for another column, and for a
    column or an image that comes twice."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = [row for row in csv.reader(file) if row] or [[]]
    except (OSError, ValueError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read as CSV: {error}") from error
    columns = [name.strip().removeprefix("q_") for name in header]
    if uneven := [number for number, row in enumerate(rows, 2) if len(row) != len(columns)]:
        raise SourceError(f"{path}: line {uneven[0]} has not as many fields as the first, which names {len(columns)} columns.")
    known = {question.name: question for question in questions}
    if unknown := [name for name in columns if name not in ("image", CASE, *known)]:
        raise SourceError(f"{path}: column {unknown[0]!r} is no question of this model. It asks: {', '.join(known) or 'nothing'}.")
    if "image" not in columns:
        raise SourceError(f"{path} needs a column `image`: the photo's path, or its file name.")
    if twice := [name for place, name in enumerate(columns) if name in columns[:place]]:
        raise SourceError(f"{path}: column {twice[0]!r} comes twice (q_{twice[0]} is the same). Remove one of the two.")
    found: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, 2):
        said = {name: value.strip() for name, value in zip(columns, row, strict=True) if value.strip()}
        image = said.pop("image", "")
        if image in found:
            raise SourceError(f"{path}, line {number}: {image!r} has a row above already. Give each photo one row: remove the wrong one.")
        found[image] = {name: _answer(known.get(name), value) for name, value in said.items()}
    return found


def answers_by_photo(photos: Sequence[Path], given: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """photo -> what was answered about it, a dict of its own, empty where nothing was. `given`: as of `read_answers`, each by the path of a
    photo or by its file name. Raises SourceError where a name is that of several photos, or a photo is named in both ways."""
    found: dict[str, dict[str, Any]] = {str(photo): dict(given.get(str(photo), {})) for photo in photos}
    of_name: dict[str, list[str]] = {}
    for photo in photos:
        of_name.setdefault(photo.name, []).append(str(photo))
    for name in (name for name in given if name in of_name and name not in found):
        first, *others = of_name[name]
        if others:
            raise SourceError(
                f"Answers for {name!r} may be those of {first} or of {others[0]}. Name the photos by their paths in the column `image`."
            )
        if first in given:
            raise SourceError(f"{first} has two rows of answers, by its path and as {name!r}. Remove the wrong one.")
        found[first] = dict(given[name])
    return found


def _answer(question: Question | None, value: str) -> Any:
    several = question is not None and question.kind == "multi"
    return tuple(part.strip() for part in value.split("|")) if several else value
