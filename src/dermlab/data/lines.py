"""Small CSV files that people write and read in diffs: every line checked, every error names its line."""

import csv
import io
import subprocess
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from dermlab.run.errors import ContractError
from dermlab.run.files import atomic_path

LAST = ("reviewer", "date")  # columns that every such file ends in: who decided, and when


def read_lines(path: Path, header: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """(line number, values without surrounding blanks) of every line that is not empty. Raises ContractError: no file, not UTF-8, another
    header, too few or too many values, no reviewer, a date that is not YYYY-MM-DD."""
    expected = f"The first line must be: {','.join(header)}"
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets like to begin with a byte order mark
    except FileNotFoundError as error:
        raise ContractError(f"{path} does not exist. Restore it: `git checkout {path}`. {expected}") from error
    except UnicodeDecodeError as error:
        raise ContractError(f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    if (found := tuple(name.strip() for name in next(reader, ()))) != tuple(header):
        raise ContractError(f"{path}, line 1: the header is {','.join(found)!r}. {expected}")
    lines = []
    for values in reader:
        if not any(value.strip() for value in values):
            continue
        where = f"{path}, line {reader.line_num}"
        if len(values) != len(header):
            raise ContractError(f"{where}: has {len(values)} values, must have {len(header)}. Quote text with commas.")
        line = dict(zip(header, (value.strip() for value in values), strict=True))
        if not line["reviewer"]:
            raise ContractError(f"{where}, image {line['image_id']!r}: has no reviewer. Say who decided.")
        if not _is_date(line["date"]):
            raise ContractError(
                f"{where}, image {line['image_id']!r}: date {line['date']!r} is not YYYY-MM-DD. A spreadsheet may have rewritten it."
            )
        lines.append((reader.line_num, line))
    return lines


def as_table(lines: list[tuple[int, dict[str, str]]], header: Sequence[str]) -> pd.DataFrame:
    """Columns `header`, in the file's order; the index is the line in the file."""
    return pd.DataFrame([line for _, line in lines], columns=list(header), index=pd.Index([number for number, _ in lines], name="line"))


def append_lines(path: Path, rows: pd.DataFrame) -> None:
    """Adds the rows at the end. Bytes are kept: a line a person wrote must not show up in the diff."""
    if rows.empty:
        return
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(rows.itertuples(index=False))
    before = path.read_bytes()
    if not before.endswith(b"\n"):
        before += b"\n"
    with atomic_path(path) as unfinished:
        unfinished.write_bytes(before + lines.getvalue().encode())


def lines_only_in_commit(path: Path) -> int:
    """Decisions that HEAD's file holds and this one does not: `dvc exp apply` of an older experiment takes them away without a word. 0
    where git has no such file."""
    committed = subprocess.run(("git", "show", f"HEAD:./{path.as_posix()}"), capture_output=True, check=False).stdout
    here = path.read_bytes() if path.exists() else b""
    return len(set(committed.splitlines()) - set(here.splitlines()))


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
