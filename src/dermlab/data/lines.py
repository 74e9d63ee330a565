"""Small CSV files that people write and read in diffs: every line checked, every error names its line."""

import codecs
import csv
import io
import re
import subprocess
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from dermlab.run.errors import ContractError
from dermlab.run.progress import some

LAST = ("reviewer", "date")  # columns that every such file ends in: who decided, and when
READERS = "readers"  # who signs a line of the ledger that was concluded from data/reviews.csv; every other one is a person's decision
FREE = ("reason", "reviewer")  # columns of a person's own words; the others must be what the catalog or a calendar knows
LONGEST, READ = 1000, 10_000  # characters of such words, and of any value that is still read
FORMULA = ("=", "+", "-", "@")  # how a cell begins that a spreadsheet would run, also in full width
# What blanks a terminal's line, and what turns the order of the letters around: nobody could see what he reads. Line breaks and tabs within
# quotes stand in files of old, and do no harm there.
UNSEEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
JOINERS = "\u200c\u200d"  # by which some scripts and pictures are written
# Shown as nothing, though Unicode has them as letters or marks; with them nobody's name is written, and a formula hidden.
BLANK_LETTERS = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0"
# How files begin that spreadsheets save, and that are no CSV in UTF-8.
WORKBOOKS = {b"PK\x03\x04": "an Excel workbook (or another zip)", b"\xd0\xcf\x11\xe0": "an old Excel workbook"}
SPREADSHEETS = {**WORKBOOKS, b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
YEARS = range(1970, 2101)  # in which somebody reviews; a simulated reviewer, in the first
PARTED_FORMULA = re.compile(r"[;|\t]\s*[=+@-]")  # as a cell of its own where the separator is another


def read_lines(path: Path, header: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """(line number, values without surrounding blanks) of every line that is not empty. Raises ContractError: no file, not UTF-8, another
    header, too few or too many values, a value that is too long or holds characters that nobody sees, no reviewer, a date that is not
    YYYY-MM-DD."""
    expected = f"The first line must be: {','.join(header)}"
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets like to begin with a byte order mark
    except FileNotFoundError as error:
        raise ContractError(f"{path} does not exist. Restore it: `git checkout {path}`. {expected}") from error
    except UnicodeDecodeError as error:
        data = path.read_bytes()
        what = next((f" but {what}" for begin, what in SPREADSHEETS.items() if data.startswith(begin)), "")
        line = data[: error.start].count(b"\n") + 1
        raise ContractError(
            f"{path}, line {line}: is not UTF-8 text{what}. Save it as CSV (UTF-8), or take it as it was exported."
        ) from error
    except OSError as error:
        raise ContractError(f"{path} cannot be read: {error.strerror}. {expected}") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    rows = _rows(reader, path)
    if (found := tuple(name.strip() for name in next(rows, ()))) != tuple(header):
        raise ContractError(f"{path}, line 1: the header is {','.join(found)[:200]!r}{_separator(found, header)}. {expected}")
    lines = []
    for values in rows:
        if not any(value.strip() for value in values):
            continue
        where = f"{path}, line {reader.line_num}"
        if len(values) != len(header):
            raise ContractError(f"{where}: has {len(values)} values, must have {len(header)}. Quote text with commas.")
        line = dict(zip(header, (value.strip() for value in values), strict=True))
        for column, value in line.items():
            if len(value) > READ:
                raise ContractError(f"{where}, column {column}: has {len(value):,} characters, more than {READ:,}. Shorten it.")
            if unseen := UNSEEN.search(value):
                raise ContractError(f"{where}, column {column}: holds {_named(unseen[0])}. Remove it.")
        if not _shown(line["reviewer"]):
            raise ContractError(f"{where}, image {line['image_id']!r}: has no reviewer. Say who decided.")
        if not _is_date(line["date"]):
            raise ContractError(
                f"{where}, image {line['image_id']!r}: date {line['date']!r} is not YYYY-MM-DD, from {YEARS[0]} on. A spreadsheet may have "
                "rewritten it."
            )
        lines.append((reader.line_num, line))
    return lines


def _separator(found: Sequence[str], header: Sequence[str]) -> str:
    """Whether the header is the right one but for what stands between its names, as a spreadsheet of another language writes it."""
    by_name = {";": "semicolons", "\t": "tabs", "|": "bars"}
    between = next((sign for sign in by_name if len(found) == 1 and found[0].split(sign) == list(header)), None)
    return f", parted by {by_name[between]}: save the file as CSV with commas, or merge it as the page exported it" if between else ""


def mended_id(image_id: str, known: Iterable[str]) -> str:
    """What to do about an id that is not known; where a spreadsheet took it for a number, which id that was."""
    number = re.fullmatch(r"(\d+(?:[.,]\d+)?)(?:e\+?(\d+))?", image_id, re.IGNORECASE)
    was = [name for name in known if name.isdecimal() and number and name.lstrip("0") == image_id] if number else []
    if was:
        return f"A spreadsheet dropped the zeros of {was[0]!r}: merge the file as the page exported it."
    if number:
        return "A spreadsheet may have taken it for a number: merge the file as the page exported it."
    return "Correct the id or remove the line."


def _rows(reader: Iterator[list[str]], path: Path) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise ContractError(f"{path}, line {reader.line_num}: cannot be read as CSV ({error}). Shorten or mend that line.") from error


def _named(character: str) -> str:
    return f"the character U+{ord(character):04X} ({unicodedata.name(character, 'a control character').lower()})"


def check_new(path: Path, rows: pd.DataFrame) -> None:
    """That a person's words in `rows`, which are to enter a file that spreadsheets open and people read in diffs, are words; of what an old
    file holds less is asked. `path`, and the index of `rows`: where they come from. Raises ContractError."""
    for column in set(FREE) & set(rows):
        for line, value in rows[column].items():
            if why := why_no_words(value):
                raise ContractError(f"{path}, line {line}, column {column}: {why}. Nothing was merged.")


def why_no_words(value: str) -> str:
    """What is wrong with a person's words; empty where nothing is."""
    if len(value) > LONGEST:
        return f"has {len(value):,} characters, more than {LONGEST:,}. Shorten it"
    shown = _shown(value)
    if shown.startswith(FORMULA):
        return f"begins with {shown[0]!r}, by which a spreadsheet takes it for a formula. Begin with a word"
    if PARTED_FORMULA.search(shown):
        return "holds what a spreadsheet of other separators takes for a formula. Write a word after `;` or `|`"
    hidden = next((c for c in value if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c not in JOINERS), None)
    return f"holds {_named(hidden)}. Write it in one line of plain text" if hidden else ""


def _shown(value: str) -> str:
    """Without what shows as nothing, and without the blanks around."""
    letters = unicodedata.normalize("NFKC", "".join(letter for letter in value if letter not in BLANK_LETTERS))
    return "".join(letter for letter in letters if unicodedata.category(letter) != "Cf").strip()


def as_table(lines: list[tuple[int, dict[str, str]]], header: Sequence[str]) -> pd.DataFrame:
    """Columns `header`, in the file's order; the index is the line in the file."""
    return pd.DataFrame([line for _, line in lines], columns=list(header), index=pd.Index([number for number, _ in lines], name="line"))


def with_lines(path: Path, rows: pd.DataFrame, header: Sequence[str]) -> str:
    """The file with the rows at its end. Bytes are kept: a line a person wrote must not show up in the diff. header: where there is no
    file yet."""
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(rows.itertuples(index=False))
    before = path.read_bytes().decode() if path.exists() else ",".join(header) + "\n"
    return before + ("" if before.endswith("\n") or rows.empty else "\n") + lines.getvalue()


def lost_lines(path: Path) -> str:
    """What to do where HEAD's file holds decisions that this one does not: `dvc exp apply` of an older experiment takes them away without a
    word. Empty where none is lost, or git has no such file. What was concluded from decisions is none, and is made anew."""
    committed = subprocess.run(("git", "show", f"HEAD:./{path.as_posix()}"), capture_output=True, check=False).stdout
    before, now = (_decisions(text) for text in (committed, path.read_bytes() if path.exists() else b""))
    if not (lost := before - now):
        return ""
    if added := now - before:
        return (
            f"{path} lacks {some(len(lost), 'line', 'lines')} of the last commit, or has them in other words, and holds {len(added)} that "
            f"no commit does: `git diff {path}` shows them"
        )
    return f"{path} lacks {some(len(lost), 'line', 'lines')} of the last commit; `git checkout {path}` brings them back"


def _decisions(text: bytes) -> set[bytes]:
    """Lines behind the header, without the marks that an editor puts in and takes out."""
    return {line for line in text.removeprefix(codecs.BOM_UTF8).splitlines()[1:] if line and f",{READERS},".encode() not in line}


def _is_date(text: str) -> bool:
    try:
        found = date.fromisoformat(text)
        return found.isoformat() == text and found.year in YEARS
    except ValueError:
        return False
