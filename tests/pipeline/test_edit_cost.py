"""What a change of the source or the catalog costs, with a real `dvc`: which stages run, and which photos are read and embedded again.

A folder of phantom photos, up to and with `flag`: what follows it runs where its outs come out otherwise. What a change of code, params
or versions costs stands in test_dvc.py.
"""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from clones import Clone, clone_of_working_tree, set_param

from dermlab.phantom.clinic import simulate
from dermlab.phantom.drawing import draw

PHOTOS, NEW = 150, 3
NAME = "Ophelia-Polonius"  # a patient's, as folders are named
LOCK = ("--min-class-count", "10")


def ran(clone: Clone, upto: str) -> tuple[list[str], str]:
    """The stages that ran, and what was said."""
    said = clone.run("dvc", "repro", upto).stdout
    return re.findall(r"Running stage '(\w+)'", said), said


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """PHOTOS + NEW photos of the three commonest conditions, the last NEW of them not yet in the table."""
    folder = tmp_path_factory.mktemp("photos")
    clinic = simulate(600, seed=17)
    table = clinic.manifest.assign(recipe=clinic.recipes)[["key", "diagnosis", "patient_id", "recipe"]]
    whole = pd.Series([not recipe.spoil for recipe in clinic.recipes])
    common = table["diagnosis"].isin(table["diagnosis"].value_counts().index[:3])
    table = table[whole & common].sort_values("patient_id").head(PHOTOS + NEW)
    assert len(table) == PHOTOS + NEW
    names = [f"{NAME}/{number:04d}.jpg" for number in range(len(table))]
    (folder / NAME).mkdir()
    for name, recipe in zip(names, table["recipe"], strict=True):
        (folder / name).write_bytes(draw(recipe))
    rows = pd.DataFrame({"image": names, "label": table["diagnosis"].to_numpy(), "patient_id": table["patient_id"].to_numpy()})
    rows.to_csv(folder.with_suffix(".csv"), index=False)
    rows.head(PHOTOS).to_csv(folder / "labels.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def clone(photos, tmp_path_factory) -> Clone:
    clone = clone_of_working_tree(tmp_path_factory.mktemp("clone"), f"folder:{photos}", *LOCK)
    assert ran(clone, "flag")[0] == ["catalog", "pull", "embed", "flag"]
    clone.commit("flags")
    return clone


@pytest.fixture(autouse=True)
def as_committed(clone):
    yield
    clone.run("git", "checkout", "--", ".")
    clone.run("dvc", "checkout", "--force", "--quiet", "data/source.dvc", "catalog", "pull", "embed", "flag")


def test_a_corrected_label_at_the_source_runs_catalog_and_flag(clone, photos):
    table = pd.read_csv(photos / "labels.csv")
    corrected = table.assign(label=table["label"].where(table.index != 5, table["label"].iloc[-1]))
    assert not corrected.equals(table)
    corrected.to_csv(photos / "labels.csv", index=False)
    clone.run("dermlab", "lock", f"folder:{photos}", *LOCK)
    table.to_csv(photos / "labels.csv", index=False)
    assert ran(clone, "flag")[0] == ["catalog", "flag"]


def test_noise_and_another_split_run_catalog_and_flag(clone):
    set_param(clone, "noise_rate: 0.0", "noise_rate: 0.1")
    set_param(clone, "seed: 17 # of the patient split", "seed: 18 # of the patient split")
    assert ran(clone, "flag")[0] == ["catalog", "flag"]


def test_the_same_photos_under_another_path_run_nothing(clone, photos, tmp_path):
    shutil.copytree(photos, tmp_path / "elsewhere")
    clone.run("dermlab", "lock", f"folder:{tmp_path / 'elsewhere'}", *LOCK)
    assert ran(clone, "flag")[0] == []


def test_two_in_a_hundred_photos_more_are_all_that_is_read_and_embedded(clone, photos, tmp_path):
    grown = tmp_path / "grown"
    shutil.copytree(photos, grown)
    shutil.copy(photos.with_suffix(".csv"), grown / "labels.csv")
    clone.run("dermlab", "lock", f"folder:{grown}", *LOCK)
    for number in range(PHOTOS):  # whoever reads one of the old photos now finds another than was pinned
        (grown / f"{number:04d}.jpg").write_bytes(b"moved")
    stages, said = ran(clone, "embed")
    assert stages == ["catalog", "pull", "embed"]
    assert f"pull: {PHOTOS + NEW} images, 0 quarantined, {PHOTOS} of them from the last run" in said
    assert f"embed: {PHOTOS + NEW} images, {PHOTOS} of them from the last run" in said


def test_a_photo_less_costs_no_photo(clone, photos, tmp_path):
    fewer = tmp_path / "fewer"
    shutil.copytree(photos, fewer)
    pd.read_csv(fewer / "labels.csv").iloc[1:].to_csv(fewer / "labels.csv", index=False)
    clone.run("dermlab", "lock", f"folder:{fewer}", *LOCK)
    said = ran(clone, "embed")[1]
    assert f"pull: {PHOTOS - 1} images, 0 quarantined, {PHOTOS - 1} of them from the last run" in said
    assert f"embed: {PHOTOS - 1} images, {PHOTOS - 1} of them from the last run" in said


def test_a_patients_folder_stands_in_no_page_log_metric_or_table_but_in_the_list_of_what_to_fetch(clone, photos, tmp_path):
    said = clone.run("dvc", "repro", "--force", "flag").stdout + clone.run("dermlab", "review").stdout
    assert NAME not in said
    found = []
    for path in sorted(clone.folder.rglob("*")):
        inside = path.relative_to(clone.folder).as_posix()
        if not path.is_file() or inside.startswith((".git/", ".dvc/cache/", "data/source/", "tests/")):
            continue
        text = pd.read_parquet(path).to_csv() if path.suffix == ".parquet" else path.read_bytes().decode("utf-8", "replace")
        if NAME in text:
            found.append(inside)
    assert found == ["data/wanted.parquet"]
    set_param(clone, "max_pixels: 100000000", "max_pixels: 99999999")  # or what the last run left would do
    elsewhere = Clone(clone.folder, {**clone.environment, "DERMLAB_SOURCE": str(tmp_path)})
    refused = elsewhere.run("dvc", "repro", "--single-item", "pull", ok=False)
    assert "cannot be read (No such file or directory). Restore it" in " ".join((refused.stdout + refused.stderr).split())
    assert NAME not in refused.stdout + refused.stderr
