"""Any model's predictions, by themselves and against a run."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from defaults import DEFAULTS
from elsewhere import dermlab
from made_runs import BASE, TARGETS, judged, run
from rows_in_use import write_rows
from sklearn.metrics import balanced_accuracy_score, f1_score, top_k_accuracy_score
from typer.testing import CliRunner

from dermlab.cli import app
from dermlab.data.classes import Classes
from dermlab.data.json_files import read_json, write_json
from dermlab.data.tables import PREDICTIONS, write_table
from dermlab.evaluate.params import Params
from dermlab.report.scored import score_predictions
from dermlab.run import paths
from dermlab.run.errors import ContractError, DermlabError
from dermlab.run.params import read_params
from dermlab.verdict.runs import load_predictions, load_run
from dermlab.verdict.score import as_json
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


PROBS = [f"prob_{name}" for name in (*TARGETS, "other")]


def _no_distribution(change):
    """`change` of the probabilities of the last row alone: a table is refused for one row."""

    def changed(table: pd.DataFrame) -> pd.DataFrame:
        probs = table[PROBS].to_numpy(copy=True)
        probs[-1] = change(probs[-1])
        return table.assign(**dict(zip(PROBS, probs.T, strict=True)))

    return changed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_no_distribution(lambda row: row * np.nan), "row 119, image .*: column prob_eczema holds nan .1 of 120 rows"),
        (_no_distribution(lambda row: np.log(row)), "column prob_.* holds -.*put logits through a softmax"),
        (_no_distribution(lambda row: row * 100), "divide percent by 100"),
        (_no_distribution(lambda row: row * 0), "they sum to 0"),
        (_no_distribution(lambda row: row * 0.9), "they sum to 0.9"),
        (lambda table: table.assign(prob_acne=table["prob_acne"].astype(str)), "column prob_acne: is str, must be numbers"),
        (lambda table: table.assign(prob_acne=table["prob_acne"] > 0.5), "column prob_acne: is bool, must be numbers"),
        (lambda table: table.assign(prob_zebra=0.0), "column prob_zebra: there is no such class here"),
        (lambda table: table.drop(columns="prob_acne"), "has no column prob_acne"),
        (lambda table: table.drop(columns=PROBS), "has no column prob_eczema, prob_acne, prob_psoriasis and 4 more"),
        (lambda table: table.head(0), "holds no row"),
        (lambda table: pd.concat([table, table.head(1)]), "row 120: the id '.*' stands there a second time"),
        (lambda table: table.tail(100), "it lacks 20 of 120 images .first: img"),
        (lambda table: table.assign(image_id="x" + table["image_id"]), "120 of its 120 images are not tested here .first: ximg"),
        (lambda table: table.assign(label=table[PROBS[:-1]].idxmax(axis=1).str[5:]), r"\d+ of 120 images bear another label .first: img"),
        (lambda table: table.assign(label="zebra"), "row 0: label 'zebra' has no column"),
        (lambda table: table.assign(label="other"), "all labels are `other`"),
        (lambda table: table.assign(patient_id="secret"), "120 of 120 images bear another patient .first: img"),
        (lambda table: table.assign(patient_id=None), "column patient_id: is null"),
    ],
)
def test_what_is_no_table_of_this_test_split_is_refused_by_score_and_compare_alike(change, says, world):
    Classes(TARGETS).write(paths.SOURCE / "classes.json")
    change(_tested(world, 120)).to_parquet("theirs.parquet", index=False)
    for typed in (["score", "theirs.parquet"], ["compare", "theirs.parquet", "data/predictions.parquet"]):
        shown = CliRunner().invoke(app, typed)
        assert isinstance(shown.exception, ContractError), shown.output
        assert re.search(says, str(shown.exception)), shown.exception
        assert "secret" not in str(shown.exception)


def _tested(world, count: int) -> pd.DataFrame:
    """The first test rows, which the catalog is cut to."""
    table = world.predictions.head(count)
    gone = world.catalog["image_id"].isin(world.predictions["image_id"][count:])
    write_rows(world.catalog[~gone], catalog=paths.CATALOG, images=paths.IMAGES)
    return table


def test_the_order_of_rows_and_columns_and_how_text_is_stored_do_not_matter(world):
    table = world.predictions
    ours = load_predictions(paths.PREDICTIONS).predictions
    shuffled = table[[*reversed(table.columns)]].sample(frac=1, random_state=1)
    odd = pd.concat([table, table.assign(image_id="x")])[: len(table)].rename(index=lambda row: 7 * row)  # with an index that is stored
    said = {"large": table, "shuffled": shuffled, "category": table.astype({"label": "category"}), "index": table.set_index("image_id")}
    for name, theirs in (said | {"odd": odd, "half": table.astype(dict.fromkeys(PROBS, np.float16))}).items():
        theirs.to_parquet(f"{name}.parquet")
        found = load_predictions(Path(f"{name}.parquet")).predictions
        assert list(found) == list(ours)
        assert found["label"].tolist() == ours["label"].tolist()
        assert found[PROBS].to_numpy() == pytest.approx(ours[PROBS].to_numpy(), abs=1e-3 if name == "half" else 1e-6)
    assert "__index_level_0__" in pq.read_schema("odd.parquet").names
    assert pq.read_schema("large.parquet").field("label").type == pa.large_string()


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


def test_a_class_that_nobody_tested_is_null_in_the_json(tmp_path):
    table = BASE.predictions
    untested = TARGETS[-1]
    found = score_predictions(table[table["label"] != untested].reset_index(drop=True), {}, 200, 17)
    write_json(tmp_path / "scores.json", as_json(found, 15))
    assert read_json(tmp_path / "scores.json")["classes"][untested]["recall"] is None


@pytest.mark.parametrize("command", [["score", "x.parquet", "--out", "x.parquet"], ["compare", "a", "b", "--out", "params.yaml"]])
def test_no_file_of_another_kind_is_written_over(command):
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert "does not end in" in " ".join((done.output + str(done.exception)).split())


def test_a_table_that_is_no_parquet_and_a_name_that_is_empty_are_told(tmp_path):
    (tmp_path / "x.csv").write_text("image_id\n")
    with pytest.raises(ContractError, match=r"is no Parquet. Of a CSV make one"):
        load_predictions(tmp_path / "x.csv", tmp_path)
    with pytest.raises(DermlabError, match="name is empty"):
        load_run(" ")
