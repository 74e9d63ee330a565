"""Other names of a class, by which a reader finds it."""

from collections.abc import Iterable
from importlib.resources import files

from dermlab.data.classes import OTHER, Classes

MOST_DIAGNOSES = 400  # of the pool that are found under `other`


def synonyms(classes: Classes, diagnoses: Iterable[str]) -> dict[str, list[str]]:
    """Class -> names that people have for it: those of the list in templates/synonyms.txt, where a line names one thing; of `other` the
    diagnoses of the source that it stands for, too."""
    groups, found = _groups(), {}
    for name in classes.names:
        found[name] = [word for group in groups if _plain(name) in group for word in group if word != _plain(name)]
    pool = sorted({name for name in diagnoses if classes.label_of(name) == OTHER and name != OTHER})[:MOST_DIAGNOSES]
    found[OTHER] = [*found[OTHER], *pool]
    return {name: others for name, others in found.items() if others}


def _groups() -> list[list[str]]:
    text = files("dermlab.review").joinpath("templates", "synonyms.txt").read_text(encoding="utf-8")
    return [line.split(" | ") for line in text.splitlines()]


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").lower().split())
