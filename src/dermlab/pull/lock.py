"""`dermlab lock SOURCE` pins what will be pulled: key, size and etag of every object, classes, questionnaire, a digest."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dermlab.data import paths
from dermlab.data.classes import Classes, read_classes
from dermlab.data.errors import ContractError, ParamsError, SourceError
from dermlab.data.files import atomic_path, read_json, sha256_file, write_json
from dermlab.data.params import PullParams
from dermlab.data.questionnaire import Questionnaire, read_questionnaire, write_questionnaire
from dermlab.data.tables import SOURCE_MANIFEST, read_table, write_table
from dermlab.pull.files import check_key
from dermlab.pull.sources import LISTING_PARAMS, open_source

PINNED_FILES = ("manifest.parquet", "classes.json", "questionnaire.json")


@dataclass(frozen=True)
class Pin:
    """What `data/source/` holds. `uri`: the source as given to `dermlab lock`."""

    uri: str
    digest: str
    manifest: pd.DataFrame
    classes: Classes
    questions: Questionnaire


def lock(uri: str, params: PullParams, folder: Path = paths.SOURCE) -> Pin:
    """Scans the source and writes `folder`. Raises SourceError or ContractError; the old pin then still stands."""
    listing = open_source(uri, params).scan()
    for key in listing.manifest["key"]:
        check_key(key, uri)
    with atomic_path(folder) as unfinished:
        unfinished.mkdir()
        write_table(unfinished / "manifest.parquet", listing.manifest, SOURCE_MANIFEST, listing.questions)
        listing.classes.write(unfinished / "classes.json")
        write_questionnaire(unfinished / "questionnaire.json", listing.questions)
        _check_patients(listing.manifest, uri)
        write_json(
            unfinished / "source.json",
            {"uri": uri, "digest": _digest(unfinished), "images": len(listing.manifest), "params": _listing_params(uri, params)},
        )
    return read_pin(params, folder)


def read_pin(params: PullParams, folder: Path = paths.SOURCE) -> Pin:
    """Raises ContractError where the pin was altered, ParamsError where params.yaml has since asked for another listing."""
    folder = Path(folder)
    if not (folder / "source.json").exists():
        raise SourceError(f"{folder} is missing: nothing is pinned yet. Run `dermlab lock phantom`, or give a source of your own.")
    pin = read_json(folder / "source.json")
    if _digest(folder) != pin["digest"]:
        raise ContractError(f"{folder} was altered since it was locked. Restore it (`dvc checkout {folder}`) or lock again.")
    for name, asked in _listing_params(pin["uri"], params).items():
        if pin["params"].get(name) != asked:
            raise ParamsError(
                f"pull.{name} is {asked!r} in params.yaml, but {folder} was locked with {pin['params'].get(name)!r}. "
                f"Run `dermlab lock {pin['uri']}` to pin it anew, or set the param back."
            )
    return Pin(
        uri=pin["uri"],
        digest=pin["digest"],
        manifest=read_table(folder / "manifest.parquet", SOURCE_MANIFEST),
        classes=read_classes(folder / "classes.json"),
        questions=read_questionnaire(folder / "questionnaire.json"),
    )


def _listing_params(uri: str, params: PullParams) -> dict:
    return {name: getattr(params, name) for name in LISTING_PARAMS[uri.partition(":")[0]]}


def _digest(folder: Path) -> str:
    missing = [name for name in PINNED_FILES if not (folder / name).exists()]
    if missing:
        raise ContractError(f"{folder / missing[0]} is missing. Restore it (`dvc checkout {folder}`) or lock again.")
    return hashlib.sha256("".join(sha256_file(folder / name) for name in PINNED_FILES).encode()).hexdigest()


def _check_patients(manifest: pd.DataFrame, uri: str) -> None:
    if manifest["split"].isna().all():
        return
    if manifest["split"].isna().any():
        raise SourceError(f"{uri}: some rows have a split and some have none. Give all of them one, or leave the column out.")
    per_patient = manifest.groupby("patient_id")["split"].nunique()
    if (crossing := per_patient[per_patient > 1]).size:
        row = int((manifest["patient_id"] == crossing.index[0]).to_numpy().argmax())
        raise SourceError(
            f"{uri}: {crossing.size} patient(s) have images in more than one split (first in row {row}). A model would be tested "
            "on patients it was trained on: give all images of a patient one split, or leave the column out."
        )
