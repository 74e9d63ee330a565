"""data/readers.csv: who reads, and the numbers by which pages and reports call them. Names stand there and in the record alone.

A number is given by one clone of the repository, and another clone may give it to somebody else. So a page, and what it exports, names its
reader by a token drawn by chance too: `reader 2 kqvzmtrb`.
"""

import csv
import io
import re
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dermlab.data.lines import READERS, why_no_words
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.files import alone_in, write_together

HEADER = ("reader", "name", "token")  # columns; a file of before there were tokens lacks the last
CALLED = re.compile(r"reader ([1-9]\d{0,5})(?: ([a-z]{8}))?")  # what pages and exports call a reader
TOKEN = "bcdfghjklmnpqrstvwxz"  # letters alone, so that no spreadsheet takes it for a number, and no vowels, so that it is no word


@dataclass(frozen=True)
class Readers:
    numbers: dict[str, int] = field(default_factory=dict)  # name -> number, in the order of the file
    tokens: dict[str, str] = field(default_factory=dict)  # token -> name; two clones that both added a person gave two

    def called(self, name: str) -> str:
        """As a page names that reader: `reader 2 kqvzmtrb`; `reader 2` who was there before there were tokens."""
        own = [token for token, of in self.tokens.items() if of == name]
        return " ".join([called(self.numbers[name]), *own[-1:]])

    def named(self, said: str) -> str | None:
        """Whom a page calls so; None where nobody here was called so."""
        found = CALLED.fullmatch(said)
        if found is None or found[2]:
            return self.tokens.get(found[2]) if found else None
        known = set(self.tokens.values())
        return next((name for name, number in self.numbers.items() if number == int(found[1]) and name not in known), None)

    def with_names(self, names: Iterable[str]) -> "Readers":
        """Who is not there gets the next number and a token."""
        numbers, tokens = dict(self.numbers), dict(self.tokens)
        for name in names:
            if name not in numbers:
                numbers[name] = 1 + max(numbers.values(), default=0)
                tokens["".join(secrets.choice(TOKEN) for _ in range(8))] = name
        return Readers(numbers, tokens)

    def text(self) -> str:
        """The file."""
        lines = [(number, name, token) for name, number in self.numbers.items() for token in self._tokens_of(name)]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([HEADER, *lines])
        return text.getvalue()

    def _tokens_of(self, name: str) -> list[str]:
        return [token for token, of in self.tokens.items() if of == name] or [""]


def called(number: int) -> str:
    return f"reader {number}"


def read_readers(path: Path = paths.READERS) -> Readers:
    """Raises ContractError naming the line, and the one it contradicts: a number of two people or a person of two numbers, as two branches
    may have given them, a token of two, a name that is none."""
    found, numbered, line_of = Readers(), {}, {}
    rows = _rows(path) if path.exists() else []
    free = 1 + max((int(row[0]) for _, row in rows), default=0)
    for line, (number, name, token) in rows:
        where, person = f"{path}, line {line}", same_person(name)
        check_name(name, where)
        if line_of.setdefault(person, line) != line and found.numbers.get(name) != int(number):
            raise ContractError(
                f"{where}: this is the reader of line {line_of[person]}, with another number, or in other case or blanks. Write both lines "
                "with one number and one spelling, each with its token."
            )
        if (other := numbered.setdefault(int(number), line)) != line and found.numbers.get(name) != int(number):
            raise ContractError(
                f"{where}: number {number} is that of another reader in line {other}, as when two branches each gave it. Give one of the "
                f"two a free number, such as {free}, and leave the tokens as they are: they tell the answers of either."
            )
        if found.tokens.get(token, name) != name:
            raise ContractError(f"{where}: the token {token} is that of another reader above. Restore the file: `git checkout {path}`.")
        found.numbers[name] = int(number)
        found.tokens.update({token: name} if token else {})
    return found


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """(line, [number, name, token])."""
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ContractError(f"{path}, line {line}: is not UTF-8 text. Save the file as UTF-8.") from error
    except csv.Error as error:
        raise ContractError(f"{path} cannot be read as CSV ({error}). Restore the file: `git checkout {path}`.") from error
    if not rows or tuple(rows[0]) not in (HEADER, HEADER[:2]):
        raise ContractError(f"{path}, line 1: the header is not {','.join(HEADER)}. Restore the file: `git checkout {path}`.")
    lines = []
    for line, row in enumerate(rows[1:], start=2):
        number, name, token = [*row, "", "", ""][:3]
        if not any(row):
            continue
        if len(row) not in (2, 3) or not CALLED.fullmatch(f"reader {number} {token}".rstrip()):
            raise ContractError(f"{path}, line {line}: must be a number, a name and a token of eight letters or none, as in 3,Anna,")
        lines.append((line, [number, name, token]))
    return lines


def same_person(name: str) -> str:
    """A name as it is compared: without case, blanks of one kind, letters composed."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).split())


def as_known(names: Iterable[str], readers: Readers) -> dict[str, str]:
    """Name -> the name by which data/readers.csv has that person; of who is not there, the first of the names that are the same."""
    known = {same_person(name): name for name in readers.numbers}
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
        before = read_readers(path)
        people = as_known(names, before)
        readers = before.with_names(people.values())
        if readers != before:
            write_together({path: readers.text()})
    return {name: readers.numbers[name] for name in people.values()}
