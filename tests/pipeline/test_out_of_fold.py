"""From networks that each lack a fold to flags that rest on what they predict, with a real `dvc`."""

import json
import re

import pandas as pd
import pytest
from clones import Clone, copy_of, leave_out

RECIPE = """\
set: {flag.probs: oof, flag.repeats: 1, manifest.other_ratio: 0.99, train.frozen_epochs: 2}
experiments:
  fold-1: {manifest.held_out: 1/2}
  fold-2: {manifest.held_out: 2/2}
"""


@pytest.fixture(scope="module")
def clone(finished_clinic, tmp_path_factory) -> Clone:
    """A clone in which two folds have been trained beside each other and joined, and flags made of them."""
    clone = copy_of(finished_clinic, tmp_path_factory.mktemp("folds"))
    clone.run("git", "checkout", "--", ".")
    (clone.folder / "recipes" / "folds.yaml").write_text(RECIPE)
    leave_out(clone, ["report"])
    clone.commit("two folds")
    clone.said = clone.run("dermlab", "study", "folds", "--at-once", "2").stdout
    clone.named = re.search(r"dvc exp run -S (flag\.probs=\S+)", clone.said)[1]
    clone.run("dvc", "exp", "run", "--name", "flags", "-S", clone.named, "flag")
    return clone


def test_the_cost_comes_first_and_what_to_do_next_last(clone):
    lines = clone.said.splitlines()
    assert lines[0] == "study: 2 trainings, each without a fold; `dermlab preflight folds` reckons the hours and dollars"
    assert lines[-1] == f"Next: dvc exp run -S {clone.named}"


def test_every_training_photo_is_predicted_by_the_network_that_was_not_trained_on_its_patient(clone):
    table = pd.read_parquet(clone.folder / "data" / "oof.parquet")
    rows = pd.read_parquet(clone.folder / "data" / "catalog.parquet").merge(pd.read_parquet(clone.folder / "data" / "images.parquet"))
    train = rows[rows["split"] == "train"]
    assert table["image_id"].tolist() == sorted(train["image_id"])
    manifest = pd.read_parquet(clone.folder / "data" / "manifest.parquet").merge(rows[["image_id", "patient_id"]])  # of the first fold
    trained, held_out = (set(manifest.loc[manifest["split"] == split, "patient_id"]) for split in ("train", "held_out"))
    assert trained
    assert held_out
    assert not trained & held_out
    predicted = pd.read_parquet(clone.folder / "data" / "held-out.parquet")
    mine = table[table["image_id"].isin(predicted["image_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, predicted)


def test_both_told_what_they_cost_in_one_log(clone):
    told = (clone.folder / "data" / "train-log.jsonl").read_text().splitlines()
    assert {"fold-1-unfinished", "fold-2-unfinished"} <= {json.loads(line)["experiment"] for line in told}


def test_flags_rest_on_the_file(clone):
    numbers = json.loads((clone.folder / "metrics" / "flag.json").read_text())
    assert numbers["probs"] == "data/oof.parquet"
    assert f"log-loss {numbers['log_loss']:.3f}, accuracy {numbers['accuracy']:.3f}" in clone.said


def test_joined_again_it_is_the_same_file(clone):
    (clone.folder / "data" / "oof.parquet").unlink()
    assert clone.named in clone.run("dermlab", "out-of-fold", "folds").stdout
