"""The pin, data/source/: which objects the source holds, their classes, questions and labels, and a digest of it all.

Where the objects lie is no part of it: the same photos under another mount point are the same source.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dermlab.data.classes import Classes, read_classes
from dermlab.data.json_files import read_json, write_json
from dermlab.data.questionnaire import Questionnaire, read_questionnaire, write_questionnaire
from dermlab.data.tables import SOURCE_MANIFEST, TRUTH, read_table, write_table
from dermlab.run import paths
from dermlab.run.errors import ContractError, SourceError
from dermlab.run.files import atomic_path, sha256_file

PINNED_FILES = ("manifest.parquet", "truth.parquet", "classes.json", "questionnaire.json")


@dataclass(frozen=True)
class Pin:
    kind: str  # phantom, folder
    digest: str
    manifest: pd.DataFrame  # columns of `tables.SOURCE_MANIFEST`
    truth: pd.DataFrame  # of `tables.TRUTH`, empty where the source does not know it
    classes: Classes
    questions: Questionnaire


def write_pin(
    kind: str, manifest: pd.DataFrame, truth: pd.DataFrame, classes: Classes, questions: Questionnaire, folder: Path = paths.SOURCE
) -> Pin:
    """Raises ContractError; the old pin then still stands."""
    with atomic_path(folder) as unfinished:
        unfinished.mkdir()
        write_table(unfinished / "manifest.parquet", manifest, SOURCE_MANIFEST, questions)
        write_table(unfinished / "truth.parquet", truth, TRUTH)
        classes.write(unfinished / "classes.json")
        write_questionnaire(unfinished / "questionnaire.json", questions)
        write_json(unfinished / "source.json", {"source": kind, "images": len(manifest), "digest": _digest(unfinished)})
    return read_pin(folder)


def read_pin(folder: Path = paths.SOURCE) -> Pin:
    """Raises SourceError where nothing is pinned, ContractError where the pin was altered."""
    folder = Path(folder)
    if not (folder / "source.json").exists():
        raise SourceError(f"{folder} is missing: nothing is pinned yet. Run `dermlab lock phantom`, or give a source of your own.")
    said = read_json(folder / "source.json")
    digest = _digest(folder)
    if digest != said["digest"]:
        raise ContractError(f"{folder} was altered since it was locked. Restore it (`dvc checkout {folder}`) or lock again.")
    return Pin(
        kind=said["source"],
        digest=digest,
        manifest=read_table(folder / "manifest.parquet", SOURCE_MANIFEST),
        truth=read_table(folder / "truth.parquet", TRUTH),
        classes=read_classes(folder / "classes.json"),
        questions=read_questionnaire(folder / "questionnaire.json"),
    )


def _digest(folder: Path) -> str:
    missing = [name for name in PINNED_FILES if not (folder / name).exists()]
    if missing:
        raise ContractError(f"{folder / missing[0]} is missing. Restore it (`dvc checkout {folder}`) or lock again.")
    return hashlib.sha256("".join(sha256_file(folder / name) for name in PINNED_FILES).encode()).hexdigest()
