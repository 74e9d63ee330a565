"""data/reviews.csv, the record of what readers said of photos, which only grows.

A page numbers its reader and exports lines of the record's columns, `reader 2 kqvzmtrb` in place of a name. What is concluded from the
record stands in data/relabels.csv.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dermlab.data.classes import CANNOT_TELL, DROP, NO_CLASS, THEN, Classes
from dermlab.data.lines import LAST, as_table, mended_id, read_lines
from dermlab.data.readers import as_known, read_readers
from dermlab.run import paths
from dermlab.run.errors import ContractError

HEADER = ("image_id", "answer", "confidence", "seconds", "mode", "page", "place", "reason", *LAST)
QUESTION = ["page", "place", "image_id"]  # names one question put to one reader: on a page a photo may be asked about twice
CONFIDENCE = ("sure", "likely", "unsure")
# How a photo was shown: without its label; with label and suggestion; with what the readers who differ had said.
BLIND, OPEN, ADJUDICATION = MODES = ("blind", "open", "adjudication")
MOST_SECONDS = 86_400


@dataclass(frozen=True)
class Record:
    answers: pd.DataFrame  # the last to each question, in their order (`last_answers`): columns HEADER; the index is the line in the file
    # Lines of another catalog, with what is wrong: the record only grows, so a photo or a class that is gone leaves them in it
    set_aside: tuple[str, ...] = ()


def page_name(classes: Classes, asked: str) -> str:
    """A digest of the classes that a page offers and of what it asks."""
    return _digest("\n".join([*classes.names, asked]))


def question_name(page: str, place: int, image_id: str) -> str:
    """By which an answer names its page: before the page's name a digest of place and photo, or what a spreadsheet made of one of them
    (`7` of `007`) might be taken for another question's answer. A letter first, or it would take this for a number. Pages of before that
    have another letter, and a digest of their classes."""
    return f"q{_digest(f'{page} {place} {image_id}')}-{page}"


def page_of(names: pd.Series) -> pd.Series:
    """Of the column `page`, what all answers of one page have in common."""
    return names.str.split("-").str[-1]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def first_answer(answer: pd.Series) -> pd.Series:
    """The class that counts of an answer that may name several; `drop` and `cannot tell` as they are."""
    return answer.str.split(THEN).str[0]


def read_answers(path: Path) -> pd.DataFrame:
    """Columns HEADER, `seconds` and `place` as numbers, in the file's order; the index is the line. Raises ContractError naming the line:
    what `read_lines` refuses, a confidence, a mode, seconds, a page or a place that no page writes. A line that stands twice, as after
    `git merge`, is there once."""
    lines = read_lines(Path(path), HEADER)
    for number, line in lines:
        if why := _broken(line):
            raise ContractError(f"{path}, line {number}, image {line['image_id']!r}: {why}")
    answers = as_table(lines, HEADER).astype({"seconds": float, "place": int})
    return answers[~answers.duplicated()].copy()


def _broken(line: dict[str, str]) -> str:
    valid = ("", *CONFIDENCE) if line["answer"] in NO_CLASS else CONFIDENCE
    if line["confidence"] not in valid:
        return f"confidence {line['confidence']!r} is not one of {', '.join(CONFIDENCE)}."
    if line["mode"] not in MODES:
        return f"mode {line['mode']!r} is not one of {', '.join(MODES)}."
    if not re.fullmatch(r"\d{1,5}(\.\d+)?", line["seconds"]) or float(line["seconds"]) > MOST_SECONDS:
        return f"seconds {line['seconds']!r} is no number such as 12.5, up to {MOST_SECONDS:,}. A spreadsheet may have rewritten it."
    if not re.fullmatch(r"[pq][0-9a-f]{8}-[0-9a-f]{8}", line["page"]):
        return f"page {line['page']!r} is no name of a page. A spreadsheet may have rewritten it; export the answers again."
    if not re.fullmatch(r"[1-9]\d{0,5}", line["place"]):
        return f"place {line['place']!r} is no whole number such as 12. A spreadsheet may have rewritten it."
    return ""


def last_answers(answers: pd.DataFrame) -> pd.DataFrame:
    """The answer that counts of each question, the last one, in the order in which they were given: by day, page and place, whatever the
    order of the lines; only of one day's answers to one question the later line is the later one."""
    ordered = answers.assign(of=page_of(answers["page"])).sort_values(["date", "of", "place"], kind="stable").drop(columns="of")
    return ordered[~ordered.duplicated(QUESTION, keep="last")]


def check_one_reader_a_page(files: Sequence[tuple[Path, pd.DataFrame]]) -> None:
    """Raises ContractError with both lines where two readers answered one page."""
    first: dict[str, tuple[str, str]] = {}
    for path, answers in files:
        for line, page, image, reviewer in zip(
            answers.index, page_of(answers["page"]), answers["image_id"], answers["reviewer"], strict=True
        ):
            where, before = first.setdefault(page, (f"{path}, line {line}", reviewer))
            if before != reviewer:
                raise ContractError(
                    f"{path}, line {line}, image {image!r}: says it was answered by another reader than {where}, says of the same page. "
                    "Nothing was merged. Remove the line that does not hold."
                )


def check_one_answer_a_day(files: Sequence[tuple[Path, pd.DataFrame]]) -> None:
    """That no two files answer a question in two ways on one day: which is the later answer nobody could tell. Raises ContractError with
    both lines of the first."""
    first: dict[tuple, tuple[Path, int, str]] = {}
    for path, answers in files:
        for line, row in zip(answers.index, answers[[*QUESTION, "date", "answer"]].itertuples(index=False), strict=True):
            other, at, before = first.setdefault(row[:-1], (path, line, row.answer))
            if other != path and before != row.answer:
                raise ContractError(
                    f"{path}, line {line}, image {row.image_id!r}: says {row.answer!r}, but {other}, line {at}, says {before!r} to the "
                    "same question. Nothing was merged. Merge one file after the other, the later one last: the last answer counts."
                )


def check_as_exported(path: Path, answers: pd.DataFrame) -> None:
    """That page, place and photo of each line belong together. Raises ContractError with the first that do not."""
    for line, row in zip(answers.index, answers[QUESTION].itertuples(index=False), strict=True):
        page = row.page.rpartition("-")[2]
        if row.page.startswith("q") and row.page != question_name(page, row.place, row.image_id):
            raise ContractError(
                f"{path}, line {line}, image {row.image_id!r}: is not what its page asked at place {row.place}. Something changed it, a "
                "spreadsheet perhaps: merge the file as the page exported it; bring a record back by `git checkout`."
            )


def unfit(answers: pd.DataFrame, catalog: pd.DataFrame, classes: Classes) -> dict[int, str]:
    """Line -> why it says nothing of this catalog: an image that is not in it, or of val or test, or a class that is none.
    Which other classes the page offered, and in what order, changes nothing of an answer."""
    splits = catalog.set_index("image_id")["split"].to_dict()
    valid = {*classes.names, *NO_CLASS}
    found = {}
    for line, row in zip(answers.index, answers.itertuples(index=False), strict=True):
        unknown = [] if row.answer in valid else [part for part in row.answer.split(THEN) if part not in classes.names]
        if row.image_id not in splits:
            found[line] = f"is not in the catalog. {mended_id(row.image_id, splits)}"
        elif splits[row.image_id] != "train":
            found[line] = f"is a {splits[row.image_id]} image. Only training labels may change; remove the line."
        elif unknown:
            found[line] = f"the answer {unknown[0]!r} is not one of {', '.join((*classes.names, CANNOT_TELL, DROP))}."
    return found


def read_said(path: Path = paths.REVIEWS) -> pd.DataFrame:
    """All lines of the record, as `read_answers`, none where there is no record yet. Raises ContractError also where a line is of a reader
    who has no number, and where two readers answered one page."""
    answers = read_answers(path) if path.exists() else as_table([], HEADER).astype({"seconds": float, "place": int})
    readers = read_readers()
    answers["reviewer"] = answers["reviewer"].replace(as_known(answers["reviewer"].unique(), readers))
    if nameless := [line for line, name in answers["reviewer"].items() if name not in readers.numbers]:
        raise ContractError(
            f"{path}, line {nameless[0]}: its reader has no number in {paths.READERS}. Restore that file (`git checkout {paths.READERS}`), "
            "or add the number and the name."
        )
    check_as_exported(path, answers)
    check_one_reader_a_page([(path, answers)])
    return answers


def record_of(said: pd.DataFrame, catalog: pd.DataFrame, classes: Classes, path: Path = paths.REVIEWS) -> Record:
    """What counts of the lines of a record (`read_said`)."""
    answers = last_answers(said)
    aside = unfit(answers.sort_index(), catalog, classes)
    named = tuple(f"{path}, line {line}, image {answers.at[line, 'image_id']!r}: {why}" for line, why in aside.items())
    return Record(answers.drop(index=list(aside)), named)


def read_record(catalog: pd.DataFrame, classes: Classes, path: Path = paths.REVIEWS) -> Record:
    """What was said of the training rows of this catalog. Raises ContractError as `read_said`."""
    return record_of(read_said(path), catalog, classes, path)
