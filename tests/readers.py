"""Files of readers' answers, as pages export them."""

import csv
from pathlib import Path

from dermlab.data.classes import Classes
from dermlab.data.readers import read_readers
from dermlab.data.reviews import HEADER, page_name, question_name


def answer(classes: Classes, image_id: str, said: str, reader: int | str = 1, place: int = 1, **more: object) -> dict[str, object]:
    """A line. `reader`: a number, or what stands in its place. `asked`: tells pages from one another."""
    reviewer = called(reader) if isinstance(reader, int) else reader
    page = page_name(classes, more.pop("asked", f"page of {reviewer}"))
    line = {
        "image_id": image_id, "answer": said, "confidence": "sure", "seconds": 12.5, "mode": "blind",
        "page": question_name(page, place, image_id), "place": place, "reason": "", "reviewer": reviewer, "date": "2026-03-01",
    }  # fmt: skip
    return line | more


def called(number: int) -> str:
    """As the page of this reader of data/readers.csv, or of one who is not there."""
    known = read_readers()
    return next((known.called(name) for name, own in known.numbers.items() if own == number), f"reader {number}")


def write_answers(path: str, *lines: dict[str, object], text=lambda text: text) -> Path:
    """`text`: what is done to the file's text before it is written."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    Path(path).write_text(text(Path(path).read_text()), encoding="utf-8")
    return Path(path)


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def unchanged(*files: Path):
    return [path.read_bytes() if path.exists() else None for path in files]
