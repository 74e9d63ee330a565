"""Any model's predictions, by themselves and against a run."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from defaults import DEFAULTS
from elsewhere import dermlab
from made_runs import BASE, TARGETS, judged, run
from sklearn.metrics import balanced_accuracy_score, f1_score, top_k_accuracy_score
from typer.testing import CliRunner

from dermlab.cli import app
from dermlab.data.json_files import read_json
from dermlab.data.tables import PREDICTIONS, write_table
from dermlab.evaluate.params import Params
from dermlab.run import paths
from dermlab.run.params import read_params
from dermlab.verdict.runs import load_predictions, load_run
from dermlab.verdict.settings import ELSEWHERE, scoring


def test_what_it_says_is_what_scikit_learn_counts(world):
    shown = CliRunner().invoke(app, ["score", str(paths.PREDICTIONS), "--out", "theirs.json"])
    assert shown.exit_code == 0, shown.output
    found = json.loads((world.folder / "theirs.json").read_text())
    scored = world.predictions[world.predictions["label"] != "other"]
    probs = scored[[f"prob_{name}" for name in TARGETS]].to_numpy()
    labels = pd.Categorical(scored["label"], TARGETS).codes
    present = sorted(set(labels))
    expected = {
        "top1": (probs.argmax(1) == labels).mean(),
        "top3": top_k_accuracy_score(labels, probs / probs.sum(1, keepdims=True), k=3, labels=range(len(TARGETS))),
        "macro_f1": f1_score(labels, probs.argmax(1), labels=present, average="macro"),
        "balanced_accuracy": balanced_accuracy_score(labels, probs.argmax(1)),
    }
    for name, value in expected.items():
        assert found["headline"][name]["value"] == pytest.approx(value, abs=1e-4)
        low, high = found["headline"][name]["interval"]
        assert low < value < high
        assert f"{value:.3f}" in shown.output
    assert np.sum(found["confusion"]["matrix"]) == found["images"] == len(scored)
    assert {name: scores["support"] for name, scores in found["classes"].items()} == scored["label"].value_counts().to_dict()
    assert found["headline"]["rare_recall"]["value"] == pytest.approx(read_json(paths.HEADLINE)["rare_recall"], abs=1e-4)


def test_predictions_alone_are_enough_and_a_bad_table_is_an_error_with_its_column(tmp_path, world):
    for path in (paths.CATALOG, paths.IMAGES):
        (world.folder / path).unlink()
    assert load_predictions(paths.PREDICTIONS).train_counts == world.predictions.query("label != 'other'")["label"].value_counts().to_dict()
    pd.DataFrame({"image_id": ["a"]}).to_parquet("half.parquet")
    shown = CliRunner().invoke(app, ["score", "half.parquet"])
    assert shown.exit_code
    assert "patient_id" in str(shown.exception)


def test_they_are_compared_with_a_run_and_nothing_is_said_of_rows_that_nobody_knows(tmp_path):
    theirs = run("theirs", 2.5, 3)
    write_table(tmp_path / "theirs.parquet", theirs.predictions, PREDICTIONS)
    loaded = load_run(str(tmp_path / "theirs.parquet"), tmp_path)
    assert loaded.name == "theirs"
    (found,) = judged(BASE, loaded).judged
    expected = judged(BASE, replace(theirs, params={"predictions": "theirs"})).judged[0].differences["top1"].delta
    assert found.differences["top1"].delta == pytest.approx(expected)
    assert not any("trained on" in reason for reason in found.advice.reasons)


def test_tables_of_predictions_are_scored_and_compared_in_a_project_that_has_no_dvc(tmp_path):
    for name, skill, seed in (("ours", 1.5, 1), ("theirs", 3.5, 3)):
        write_table(tmp_path / f"{name}.parquet", run(name, skill, seed).predictions, PREDICTIONS)
    assert "macro F1" in dermlab(tmp_path, "score", "ours.parquet", "--out", "score.json")
    assert json.loads((tmp_path / "score.json").read_text())["images"] == 400
    compared = dermlab(tmp_path, "compare", "ours.parquet", "theirs.parquet", "--out", "compared.html")
    assert "theirs" in compared
    assert "report" not in compared  # there is none of a run
    assert (tmp_path / "compared.html").exists()


def test_an_experiment_cannot_be_read_without_dvc_and_the_error_says_what_brings_it(tmp_path):
    said = dermlab(tmp_path, "compare", "baseline", "focal", code=1)
    assert said == 'Error: dvc is not installed here. `pip install "dermlab[train,export]"` brings what every command needs.\n'


def test_without_params_the_settings_are_the_repositorys(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ours = read_params(Params, DEFAULTS).evaluate
    assert scoring() == ELSEWHERE
    assert (ELSEWHERE.bootstrap, ELSEWHERE.ece_bins) == (ours.bootstrap, ours.ece_bins)
