"""The ledger data/relabels.csv: what people decided about single training images, readable in a diff."""

import csv
import io
import subprocess
from datetime import date
from pathlib import Path

import pandas as pd

from dermlab.data.classes import Classes
from dermlab.data.errors import ContractError

HEADER = ("image_id", "from_label", "to_label", "reason", "reviewer", "date")
DROP = "drop"


def read_ledger(path: Path, catalog: pd.DataFrame, classes: Classes) -> pd.DataFrame:
    """The checked ledger: columns HEADER, one row an image, in the file's order; the index is the line in the file.

    `to_label` is a class, `other`, `drop`, or the label the image has: then a person confirmed it. Raises ContractError naming
    the line: a wrong header, an unknown image, an image of val or test (their labels are frozen), a from_label that is not the
    catalog's, an unknown to_label, no reason, no reviewer, a date that is not YYYY-MM-DD, an image named twice.
    """
    lines = _read_lines(Path(path))
    known = catalog.set_index("image_id")[["label", "split"]]
    labels, splits = known["label"].to_dict(), known["split"].to_dict()
    valid = (*classes.names, DROP)
    seen: dict[str, int] = {}
    for number, line in lines:
        image, where = line["image_id"], f"{path}, line {number}, image {line['image_id']!r}"
        if image not in labels:
            raise ContractError(f"{where}: is not in the catalog. Correct the id or remove the line.")
        if splits[image] != "train":
            raise ContractError(f"{where}: is a {splits[image]} image. Only training labels may change; remove the line.")
        if line["from_label"] != labels[image]:
            raise ContractError(
                f"{where}: from_label is {line['from_label']!r}, but the catalog says {labels[image]!r}. Review the image again."
            )
        if line["to_label"] not in valid:
            raise ContractError(f"{where}: to_label {line['to_label']!r} is not one of {', '.join(valid)}.")
        if not line["reason"]:
            raise ContractError(f"{where}: has no reason. Say in a few words why.")
        if not line["reviewer"]:
            raise ContractError(f"{where}: has no reviewer. Say who decided.")
        if not _is_date(line["date"]):
            raise ContractError(f"{where}: date {line['date']!r} is not YYYY-MM-DD. A spreadsheet may have rewritten it.")
        if image in seen:
            raise ContractError(f"{where}: stands already on line {seen[image]}. Keep the line that holds.")
        seen[image] = number
    return pd.DataFrame([line for _, line in lines], columns=list(HEADER), index=pd.Index([number for number, _ in lines], name="line"))


def lines_only_in_commit(path: Path) -> int:
    """Decisions that HEAD's ledger holds and this file does not: `dvc exp apply` of an older experiment takes them away without a word. 0
    where git has no such file."""
    committed = subprocess.run(("git", "show", f"HEAD:./{path.as_posix()}"), capture_output=True, check=False).stdout
    return len(set(committed.splitlines()) - set(path.read_bytes().splitlines()))


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _read_lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    """(line number, values without surrounding blanks) of every line that is not empty."""
    expected = f"The first line must be: {','.join(HEADER)}"
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets like to begin with a byte order mark
    except FileNotFoundError as error:
        raise ContractError(f"{path} does not exist. Restore it: `git checkout {path}`. {expected}") from error
    except UnicodeDecodeError as error:
        raise ContractError(f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    header = tuple(name.strip() for name in next(reader, ()))
    if header != HEADER:
        raise ContractError(f"{path}, line 1: the header is {','.join(header)!r}. {expected}")
    lines = []
    for values in reader:
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(HEADER):
            raise ContractError(
                f"{path}, line {reader.line_num}: has {len(values)} values, must have {len(HEADER)}. Quote text with commas."
            )
        lines.append((reader.line_num, dict(zip(HEADER, (value.strip() for value in values), strict=True))))
    return lines
