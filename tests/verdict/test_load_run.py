"""Experiments are read out of DVC by name, without checking them out."""

import subprocess
from pathlib import Path

import pytest
from one_stage import DVC, start_repository
from ruamel.yaml import YAML

from dermlab.data.tables import FLAGS, read_table
from dermlab.run.errors import ContractError, DermlabError
from dermlab.verdict.runs import code_of, commit_of, load_run, load_runs

MAKE = """
from pathlib import Path
import pandas as pd
from dermlab.data.tables import CATALOG, IMAGES, PREDICTIONS, write_table
sure = 0.9 if "loss: focal" in Path("params.yaml").read_text() else 0.6
write_table(Path("data/predictions.parquet"), pd.DataFrame({
    "image_id": ["i1", "i2"], "patient_id": ["p1", "p2"], "diagnosis": ["a", "b"], "label": ["a", "b"],
    "labels": [(("a", 0.75), ("b", 0.25)), None], "votes": [4.0, 1.0],
    "prob_a": [sure, 0.1], "prob_b": [1 - sure, 0.9], "prob_other": [0.0, 0.0],
}), PREDICTIONS)
ids = [f"t{i}" for i in range(6)]
labels = ["a", "a", "a", "b", "other", "b"]
write_table(Path("data/catalog.parquet"), pd.DataFrame({
    "image_id": ids, "patient_id": ids, "case_id": ids, "diagnosis": labels, "label": labels, "split": ["train"] * 5 + ["test"],
}), CATALOG)
write_table(Path("data/images.parquet"), pd.DataFrame({
    "image_id": ids, "width": 1, "height": 1, "sha256": "", "phash": pd.Series([0] * 6, dtype="uint64"), "shard": 0, "row": 0,
}), IMAGES)
pd.DataFrame({  # as a version wrote it that knew no second labels
    "image_id": ids[1:], "label": labels[1:], "split": ["train"] * 4 + ["test"], "weight": 1.0, "origin": "kept",
}).to_parquet("data/manifest.parquet")
pd.DataFrame({  # as a version wrote it that lacked columns of today and had another
    "image_id": ids[:5], "given": labels[:5], "quality": 0.5, "label_issue": [True, False, True, False, False], "verdict_of_old": "none",
}).to_parquet("data/flags.parquet")
"""


@pytest.fixture(scope="module")
def repo(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("repo")
    run = start_repository(folder, MAKE)
    run("git", "add", "-A")
    run("git", "commit", "-qm", "pipeline")
    run(*DVC, "exp", "run", "-q", "--name", "plain")
    run(*DVC, "exp", "run", "-q", "--name", "focal", "-S", "loss=focal")
    run(*DVC, "exp", "run", "-q", "--name", "plain-s18", "-S", "loss=ce", "-S", "seed=18")
    run(*DVC, "exp", "run", "-q", "--name", "focal-s18", "-S", "loss=focal", "-S", "seed=18")
    run(*DVC, "exp", "apply", "-q", "focal")
    return folder


def test_a_name_stands_for_all_seeds_of_its_recipe(repo, monkeypatch):
    monkeypatch.chdir(repo)
    runs, others = load_runs(["plain", "focal"], repo)
    assert [(run.name, run.params["seed"]) for run in runs] == [("plain", 17), ("plain-s18", 18), ("focal", 17), ("focal-s18", 18)]
    assert others == []
    assert len({run.recipe for run in runs}) == 2
    again, _ = load_runs(["plain", "focal-s18", "focal"], repo)
    assert [run.name for run in again] == ["plain", "plain-s18", "focal-s18", "focal"]
    only, others = load_runs(["workspace"], repo)  # which is `focal`
    assert [run.name for run in only] == ["workspace", "focal-s18"]
    assert sorted(run.name for run in others) == ["plain", "plain-s18"]  # how far runs lie apart does not hang on who is named


def test_an_experiment_is_read_by_name_from_the_cache(repo):
    plain, focal = load_run("plain", repo), load_run("focal", repo)
    assert plain.predictions["prob_a"].tolist() == pytest.approx([0.6, 0.1])
    assert focal.predictions["prob_a"].tolist() == pytest.approx([0.9, 0.1])
    assert (plain.params["loss"], focal.params["loss"]) == ("ce", "focal")
    assert plain.train_counts == {"a": 3, "b": 1}
    assert plain.trained == {"a": 2, "b": 1}
    assert plain.predictions["labels"].tolist() == [(("a", 0.75), ("b", 0.25)), None]  # what raters said, for whoever compares


def test_a_run_of_a_version_whose_tables_had_other_columns_can_still_be_compared(repo):
    """Flags and manifest of these runs are no tables of today's schema."""
    with pytest.raises(ContractError, match="verdict_of_old is not part of this table"):
        read_table(repo / "data" / "flags.parquet", FLAGS)
    assert load_run("plain", repo).flagged == {"a": pytest.approx(2 / 3), "b": 0.0}


def test_the_workspace_is_the_files_as_they_are_now(repo):
    workspace = load_run("workspace", repo)
    assert workspace.params["loss"] == "focal"
    assert workspace.predictions.equals(load_run("focal", repo).predictions)


def test_what_a_person_said_of_copies_makes_another_recipe():
    def of(digest: str) -> dict[str, str]:
        deps = [{"path": "data/not-copies.csv", "md5": digest}, {"path": "data/embeddings", "md5": digest}]
        return code_of({"stages": {"flag": {"deps": deps, "outs": []}}})

    assert of("a") != of("b")
    assert of("a") == {"data/not-copies.csv": "a"}  # what a stage made is told by what made it


def test_what_validation_chose_of_training_is_read_where_it_lies(repo):
    assert load_run("plain", repo).best_phase == ""
    (repo / "metrics").mkdir(exist_ok=True)
    (repo / "metrics" / "train.json").write_text('{"best_phase": "frozen"}\n')
    assert load_run("workspace", repo).best_phase == "frozen"
    (repo / "metrics" / "train.json").unlink()


def test_an_unknown_experiment_is_an_error_that_lists_those_that_exist(repo):
    with pytest.raises(DermlabError, match=r"no experiment or revision 'fokal'.*Experiments: focal, focal-s18, plain, plain-s18\."):
        load_run("fokal", repo)


def test_a_revision_without_results_is_an_error_that_says_how_to_get_them(repo):
    with pytest.raises(ContractError, match=r"HEAD: data/predictions.parquet is neither in the DVC cache nor to be had from the remote"):
        load_run("HEAD", repo)


@pytest.mark.parametrize("content", [b"PAR1 and no more", b"", "a byte of many"])
def test_a_file_that_is_damaged_in_the_cache_is_named_with_its_experiment_and_what_brings_it_back(repo, content, monkeypatch):
    from dvc.repo import Repo

    monkeypatch.chdir(repo)
    text = subprocess.run(["git", "show", f"{commit_of('plain', repo)}:dvc.lock"], cwd=repo, capture_output=True, check=True).stdout
    outs = {out["path"]: out["md5"] for out in YAML(typ="safe").load(text)["stages"]["evaluate"]["outs"]}
    with Repo(str(repo)) as opened:
        cached = Path(opened.cache.local.oid_to_path(outs["data/predictions.parquet"]))
    whole, mode = cached.read_bytes(), cached.stat().st_mode
    cached.chmod(0o644)
    try:
        cached.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:] if content == "a byte of many" else content)
        with pytest.raises(
            ContractError,
            match=r"plain: data/predictions.parquet is damaged in the DVC cache.*rm -f .dvc/cache/.*dvc exp pull origin plain",
        ):
            load_run("plain", repo)
        assert load_run("focal", repo).name == "focal"
    finally:
        cached.write_bytes(whole)
        cached.chmod(mode)
    assert load_run("plain", repo).name == "plain"


def test_a_table_of_the_workspace_that_is_cut_off_is_named(repo):
    path = repo / "data" / "predictions.parquet"
    whole = path.read_bytes()
    path.unlink()
    try:
        path.write_bytes(whole[:100])
        with pytest.raises(ContractError, match="^workspace: data/predictions.parquet cannot be read as Parquet .*dvc checkout"):
            load_run("workspace", repo)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["dvc.lock", "params.yaml"])
def test_a_lock_or_params_that_are_cut_off_are_named(repo, name):
    path = repo / name
    whole = path.read_text()
    try:
        path.write_text(whole[: len(whole) // 2] + "\n  - {")
        with pytest.raises(ContractError, match=rf"^workspace: {name} is not valid YAML.*dermlab reset"):
            load_run("workspace", repo)
    finally:
        path.write_text(whole)


def test_params_that_nobody_ran_are_refused(repo):
    params = repo / "params.yaml"
    before = params.read_text()
    try:
        params.write_text(before.replace("loss: focal", "loss: bce"))
        with pytest.raises(ContractError, match="workspace: params.yaml says loss=bce, but its results were made with loss=focal"):
            load_run("workspace", repo)
    finally:
        params.write_text(before)
