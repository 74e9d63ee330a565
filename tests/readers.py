"""Files of readers' answers, as pages export them."""

import csv
from pathlib import Path

from dermlab.data.classes import Classes
from dermlab.data.reviews import HEADER, page_name


def answer(classes: Classes, image_id: str, said: str, reader: int | str = 1, place: int = 1, **more: object) -> dict[str, object]:
    """A line. `reader`: a number, or what stands in its place. `asked`: tells pages from one another."""
    reviewer = f"reader {reader}" if isinstance(reader, int) else reader
    asked = more.pop("asked", f"page of {reviewer}")
    line = {
        "image_id": image_id, "answer": said, "confidence": "sure", "seconds": 12.5, "mode": "blind", "page": page_name(classes, asked),
        "place": place, "reason": "", "reviewer": reviewer, "date": "2026-03-01",
    }  # fmt: skip
    return line | more


def write_answers(path: str, *lines: dict[str, object], text=lambda text: text) -> Path:
    """`text`: what is done to the file's text before it is written."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    Path(path).write_text(text(Path(path).read_text()), encoding="utf-8")
    return Path(path)
