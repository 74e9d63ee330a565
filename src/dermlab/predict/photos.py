"""Which photos are asked about, and what was answered about them. Needs no torch, so that a mistyped path is told at once."""

import csv
from collections.abc import Sequence
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
    one question are joined by |), and perhaps CASE, which says whose photos are one case. Raises SourceError for another column."""
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
    table = [dict(zip(columns, row, strict=True)) for row in rows]
    return {row["image"]: {name: _answer(known.get(name), value) for name, value in row.items() if name != "image" and value.strip()}
            for row in table}  # fmt: skip


def _answer(question: Question | None, value: str) -> Any:
    several = question is not None and question.kind == "multi"
    return tuple(part.strip() for part in value.split("|")) if several else value.strip()
