"""data/groups.csv: classes that are one question to whoever decides about patients, such as malignant or urgent."""

import csv
import re
from pathlib import Path

from dermlab.data.classes import OTHER, Classes
from dermlab.data.group_names import lines_of
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.params import nearest

HEADER = "group,class"
NAME = re.compile(r"[^\W_](?:[\w -]{0,38}[^\W_])?")  # of a group: words, which stand in sentences, tables and params
OPPOSITES = {"benign": "malignant"}  # besides `not NAME`, which excludes NAME
NEGATION = re.compile(r"^(?:not|no|non)[ -]+")
Groups = dict[str, tuple[str, ...]]  # group -> its classes, both in the order of the file


def read_groups(classes: Classes, path: Path = paths.GROUPS) -> Groups:
    """Empty where there is no such file, or nothing but its header and lines that begin with #. Raises ContractError naming the line:
    another header, a group or a class without a name, an unknown class, one named twice in a group or in two groups that exclude each
    other, a group of all classes, two groups whose names differ in case alone."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets like to begin with a byte order mark
    except FileNotFoundError:
        return {}
    except (UnicodeDecodeError, OSError) as error:
        raise ContractError(f"{path} cannot be read as UTF-8 text. Save it so, or put it back: `git checkout {path}`.") from error
    return groups_of(text, classes, path)


def groups_of(text: str, classes: Classes, path: Path = paths.GROUPS) -> Groups:
    """As `read_groups`, of the file's text. `path`: what an error calls it."""
    try:
        lines = lines_of(text, path)
    except csv.Error as error:
        raise ContractError(f"{path} cannot be read as CSV ({error}). Mend it, or put it back: `git checkout {path}`.") from error
    if not lines or ",".join(lines[0][1]).lower() != HEADER:
        raise ContractError(
            f"{path}: its first line must be {HEADER}, with a comma; a line below it is a class, such as malignant,melanoma."
        )
    found: dict[str, list[str]] = {}
    for number, values in lines[1:]:
        where = f"{path}, line {number}"
        if len(values) != 2:
            raise ContractError(f"{where}: has {len(values)} values, must have 2, a group and a class. Quote a name with commas.")
        group, name = values
        if not NAME.fullmatch(group):
            raise ContractError(f"{where}: {group[:60]!r} names no group: 1 to 40 letters, digits, blanks and hyphens, such as malignant.")
        if not name:
            raise ContractError(f"{where}: group {group!r} has no class. Name one, or remove the line.")
        if name not in classes.targets:
            raise ContractError(f"{where}, group {group!r}: {_no_class(name, classes)}")
        if group not in found and (other := next((other for other in found if other.lower() == group.lower()), "")):
            raise ContractError(f"{where}: group {group!r} stands above as {other!r}. Spell it in one way.")
        if name in found.get(group, ()):
            raise ContractError(f"{where}: {name!r} stands in group {group!r} already. Remove one of the lines.")
        for other in (other for other in found if _exclude(group, other) and name in found[other]):
            raise ContractError(
                f"{where}: {name!r} stands in group {other!r}, too, which {group!r} excludes. Remove the line that is wrong."
            )
        found.setdefault(group, []).append(name)
    for group, names in found.items():
        if len(names) == len(classes.targets):
            raise ContractError(f"{path}: group {group!r} holds all {len(names)} classes, so that there is nothing to tell it from.")
    return {group: tuple(names) for group, names in found.items()}


def _no_class(name: str, classes: Classes) -> str:
    if name == OTHER:
        return f"`{OTHER}` is no class but all other diagnoses, of which nobody says whether they belong here. Remove the line."
    return f"{name!r} is no class of this source{nearest(name, classes.targets)} Its classes: {', '.join(classes.targets)}."


def _exclude(one: str, other: str) -> bool:
    (one, denied), (other, also_denied) = _plain(one), _plain(other)
    opposite = OPPOSITES.get(one) == other or OPPOSITES.get(other) == one
    return (one == other and denied != also_denied) or (opposite and not denied and not also_denied)


def _plain(group: str) -> tuple[str, bool]:
    """Without its negation, and whether it has one."""
    plain = NEGATION.sub("", group.lower())
    return plain, plain != group.lower()
