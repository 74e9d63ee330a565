"""The lines of data/groups.csv, before anything is known of a source. Imports no library, for params are checked at each commit."""

import csv
import io
import unicodedata
from pathlib import Path

from dermlab.run import paths
from dermlab.run.errors import ContractError

KEPT = "\t\u200c\u200d"  # JOINERS of data/lines.py among them, which imports a library


def lines_of(text: str, path: Path) -> list[tuple[int, list[str]]]:
    """(line number, values without surrounding blanks), the header's first; empty lines and comments, which begin with #, left out, and
    the empty cells at the end of each line that spreadsheets add. Letters are composed, as those of classes are. Raises ContractError for
    a character that nobody sees, but for those that join letters, by which some scripts are written: the lock keeps them in a class."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip(" ,\t") or line.lstrip(' "').startswith("#"):
            continue
        if unseen := next((letter for letter in line if not letter.isprintable() and letter not in KEPT), ""):
            raise ContractError(f"{path}, line {number}: holds the character U+{ord(unseen):04X}, which nobody sees. Remove it.")
        values = [value.strip() for value in next(csv.reader(io.StringIO(unicodedata.normalize("NFC", line))))]
        while len(values) > 2 and not values[-1]:
            values.pop()
        found.append((number, values))
    return found


def group_names(path: Path = paths.GROUPS) -> tuple[str, ...]:
    """As the file has them, unchecked. Empty where it cannot be read."""
    try:
        lines = lines_of(path.read_text(encoding="utf-8-sig"), path)
    except (OSError, ValueError, csv.Error, ContractError):
        return ()
    return tuple(dict.fromkeys(values[0] for _, values in lines[1:] if values))
