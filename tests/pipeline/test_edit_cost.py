"""What a change of the source or the catalog costs, with a real `dvc`: which stages run, and which photos are read and embedded again.

A folder of phantom photos, up to and with `flag`: what follows it runs where its outs come out otherwise. What a change of code, params
or versions costs stands in test_dvc.py.
"""

import re
import shutil
from contextlib import chdir
from pathlib import Path

import pandas as pd
import pytest
from clones import Clone, clone_of_working_tree, set_param
from dvc.repo import Repo

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
    stages, clone.said = ran(clone, "flag")
    assert stages == ["catalog", "pull", "embed", "flag"]
    clone.commit("flags")
    return clone


@pytest.fixture(autouse=True)
def as_committed(clone):
    yield
    clone.run("git", "checkout", "--", ".")
    clone.run("dvc", "checkout", "--force", "--quiet", "data/source.dvc", "catalog", "pull", "embed", "flag")


def assert_flag_alone_is_next(clone: Clone) -> None:
    """Nothing that reads photos: of what follows the catalog, `flag` would run."""
    with chdir(clone.folder), Repo() as repo:
        assert set(repo.status(["pull", "embed", "flag"])) == {"flag"}


def test_a_corrected_label_at_the_source_runs_catalog_and_flag(clone, photos):
    table = pd.read_csv(photos / "labels.csv")
    corrected = table.assign(label=table["label"].where(table.index != 5, table["label"].iloc[-1]))
    assert not corrected.equals(table)
    corrected.to_csv(photos / "labels.csv", index=False)
    clone.run("dermlab", "lock", f"folder:{photos}", *LOCK)
    table.to_csv(photos / "labels.csv", index=False)
    assert ran(clone, "catalog")[0] == ["catalog"]
    assert_flag_alone_is_next(clone)


def test_noise_and_another_split_run_catalog_and_flag(clone):
    set_param(clone, "noise_rate: 0.0", "noise_rate: 0.1")
    set_param(clone, "seed: 17 # of the patient split", "seed: 18 # of the patient split")
    assert ran(clone, "catalog")[0] == ["catalog"]
    assert_flag_alone_is_next(clone)


def test_the_same_photos_under_another_path_run_nothing(clone, photos, tmp_path):
    shutil.copytree(photos, tmp_path / "elsewhere")
    clone.run("dermlab", "lock", f"folder:{tmp_path / 'elsewhere'}", *LOCK)
    assert ran(clone, "flag")[0] == []


def test_of_photos_that_come_and_go_the_new_ones_are_all_that_is_read_and_embedded(clone, photos, tmp_path):
    """Two in a hundred more, and one less."""
    changed = tmp_path / "changed"
    shutil.copytree(photos, changed)
    pd.read_csv(photos.with_suffix(".csv")).iloc[1:].to_csv(changed / "labels.csv", index=False)
    clone.run("dermlab", "lock", f"folder:{changed}", *LOCK)
    for number in range(PHOTOS):  # whoever reads one of the old photos now finds another than was pinned
        (changed / NAME / f"{number:04d}.jpg").write_bytes(b"moved")
    stages, said = ran(clone, "embed")
    assert stages == ["catalog", "pull", "embed"]
    kept, now = PHOTOS - 1, PHOTOS - 1 + NEW
    assert f"pull: {now} images, 0 quarantined, {kept} of them from the last run" in said
    assert f"embed: {now} images, {kept} of them from the last run" in said


def test_a_patients_folder_stands_in_no_page_log_metric_or_table_but_in_the_list_of_what_to_fetch(clone, photos, tmp_path):
    said = clone.said + clone.run("dermlab", "review").stdout
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
