"""data/reviews.csv, the record of what readers said of photos, which only grows; and data/readers.csv, the numbers by which pages and
reports call them.

A page numbers its reader and exports lines of the record's columns, `reader 2` in place of a name. What is concluded from the record
stands in data/relabels.csv.
"""

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dermlab.data.classes import Classes
from dermlab.data.ledger import DROP
from dermlab.data.lines import LAST, READERS, as_table, mended_id, read_lines, why_no_words
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.files import alone_in, write_text

HEADER = ("image_id", "answer", "confidence", "seconds", "mode", "page", "place", "reason", *LAST)
QUESTION = ["page", "place", "image_id"]  # names one question put to one reader: on a page a photo may be asked about twice
NUMBERS = ("reader", "name")  # columns of data/readers.csv
CANNOT_TELL = "cannot tell"
THEN = " > "  # between the classes of an answer that names several, the likeliest first
CONFIDENCE = ("sure", "likely", "unsure")
# How a photo was shown: without its label; with label and suggestion; with what the readers who differ had said.
BLIND, OPEN, ADJUDICATION = MODES = ("blind", "open", "adjudication")
MOST_SECONDS = 86_400
CALLED = re.compile(r"reader ([1-9]\d{0,5})")  # what pages and reports call a reader


@dataclass(frozen=True)
class Record:
    answers: pd.DataFrame  # the last to each question, in their order (`last_answers`): columns HEADER; the index is the line in the file
    # Lines of another catalog, with what is wrong: the record only grows, so a photo or a class that is gone leaves them in it
    set_aside: tuple[str, ...] = ()


def page_name(classes: Classes, asked: str) -> str:
    """By which answers name their page: a digest of the classes it offers, and one of what it asks. A letter first, or a spreadsheet would
    take it for a number."""
    return f"p{_digest(','.join(classes.names))}-{_digest(asked)}"


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
    valid = ("", *CONFIDENCE) if line["answer"] in (CANNOT_TELL, DROP) else CONFIDENCE
    if line["confidence"] not in valid:
        return f"confidence {line['confidence']!r} is not one of {', '.join(CONFIDENCE)}."
    if line["mode"] not in MODES:
        return f"mode {line['mode']!r} is not one of {', '.join(MODES)}."
    if not re.fullmatch(r"\d{1,5}(\.\d+)?", line["seconds"]) or float(line["seconds"]) > MOST_SECONDS:
        return f"seconds {line['seconds']!r} is no number such as 12.5, up to {MOST_SECONDS:,}. A spreadsheet may have rewritten it."
    if not re.fullmatch(r"p[0-9a-f]{8}-[0-9a-f]{8}", line["page"]):
        return f"page {line['page']!r} is no name of a page. A spreadsheet may have rewritten it; export the answers again."
    if not re.fullmatch(r"[1-9]\d{0,5}", line["place"]):
        return f"place {line['place']!r} is no whole number such as 12. A spreadsheet may have rewritten it."
    return ""


def last_answers(answers: pd.DataFrame) -> pd.DataFrame:
    """The answer that counts of each question, the last one, in the order in which they were given: by day, page and place, whatever the
    order of the lines; only of one day's answers to one question the later line is the later one."""
    ordered = answers.sort_values(["date", "page", "place"], kind="stable")
    return ordered[~ordered.duplicated(QUESTION, keep="last")]


def check_one_reader_a_question(files: Sequence[tuple[Path, pd.DataFrame]]) -> None:
    """Raises ContractError with both lines of the first question that two readers answered."""
    first: dict[tuple, tuple[str, str]] = {}
    for path, answers in files:
        for line, row in zip(answers.index, answers[[*QUESTION, "reviewer"]].itertuples(index=False), strict=True):
            where, before = first.setdefault(row[:-1], (f"{path}, line {line}", row.reviewer))
            if before != row.reviewer:
                raise ContractError(
                    f"{path}, line {line}, image {row.image_id!r}: says it was answered by another reader than {where}, says of the same "
                    "page. Nothing was merged. Remove the line that does not hold."
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


def unfit(answers: pd.DataFrame, catalog: pd.DataFrame, classes: Classes) -> dict[int, str]:
    """Line -> why it says nothing of this catalog: an image that is not in it, or of val or test, or a class that is none.
    Which other classes the page offered, and in what order, changes nothing of an answer."""
    splits = catalog.set_index("image_id")["split"].to_dict()
    valid = {*classes.names, DROP, CANNOT_TELL}
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
    who has no number, and where two readers answered one question."""
    answers = read_answers(path) if path.exists() else as_table([], HEADER).astype({"seconds": float, "place": int})
    readers = read_readers()
    answers["reviewer"] = answers["reviewer"].replace(as_numbered(answers["reviewer"].unique(), readers))
    if nameless := [line for line, name in answers["reviewer"].items() if name not in readers]:
        raise ContractError(
            f"{path}, line {nameless[0]}: its reader has no number in {paths.READERS}. Restore that file (`git checkout {paths.READERS}`), "
            "or add the number and the name."
        )
    check_one_reader_a_question([(path, answers)])
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


def read_readers(path: Path = paths.READERS) -> dict[str, int]:
    """Name -> number, in the order of the file. Raises ContractError naming the line: a name or a number that stands twice (two branches
    may each have given it), or is none."""
    if not path.exists():
        return {}
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ContractError(f"{path}, line {line}: is not UTF-8 text. Save the file as UTF-8.") from error
    except csv.Error as error:
        raise ContractError(f"{path} cannot be read as CSV ({error}). Restore the file: `git checkout {path}`.") from error
    if not rows or tuple(rows[0]) != NUMBERS:
        raise ContractError(f"{path}, line 1: the header is not {','.join(NUMBERS)}. Restore the file: `git checkout {path}`.")
    found: dict[str, int] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not any(row):
            continue
        if len(row) != len(NUMBERS) or not re.fullmatch(r"[1-9]\d{0,5}", row[0]):
            raise ContractError(f"{path}, line {line}: must be a number and a name, as in 3,Anna.")
        check_name(row[1], f"{path}, line {line}")
        number, name = int(row[0]), row[1]
        if name in found and found[name] == number:  # both branches of a merge had given it
            continue
        if number in found.values() or same_person(name) in map(same_person, found):
            raise ContractError(
                f"{path}, line {line}: this name or number stands there already, maybe in other case or blanks. Keep one name a number."
            )
        found[name] = number
    return found


def same_person(name: str) -> str:
    """A name as it is compared: without case, blanks of one kind, letters composed."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).split())


def as_numbered(names: Iterable[str], readers: Mapping[str, int]) -> dict[str, str]:
    """Name -> the name by which data/readers.csv has that person; of who is not there, the first of the names that are the same."""
    known = {same_person(name): name for name in readers}
    return {name: known.setdefault(same_person(name), name) for name in names}


def check_name(name: str, where: str) -> None:
    """Of a reader. Raises ContractError, without the name where it might be shown to others."""
    why = why_no_words(name) if name.strip() else "is empty"
    if "," in name or "=" in name:
        why = "holds a comma or `=`, which tables and commands take for their own"
    elif name != name.strip() or CALLED.fullmatch(name.lower()) or name.lower() == READERS:
        why = f"has blanks around it, or is `{READERS}` or a number of one, by which nobody is told from others"
    if why:
        raise ContractError(f"{where}: the name of a reader {why}. Write it otherwise, such as Anna or A.B.")


def number_of(names: Sequence[str], path: Path = paths.READERS) -> dict[str, int]:
    """The numbers of these readers, by the name in the file, each person once; new ones get the next and are added. Raises
    ContractError."""
    for name in names:
        check_name(name, "--reader")
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone_in(path.parent):
        readers = read_readers(path)
        people = as_numbered(names, readers)
        for name in people.values():
            readers.setdefault(name, 1 + max(readers.values(), default=0))
        write_readers(readers, path)
    return {name: readers[name] for name in people.values()}


def write_readers(readers: dict[str, int], path: Path = paths.READERS) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([NUMBERS, *((number, name) for name, number in readers.items())])
    if not path.exists() or path.read_text(encoding="utf-8-sig") != text.getvalue():
        write_text(path, text.getvalue())


def called(number: int) -> str:
    return f"reader {number}"
