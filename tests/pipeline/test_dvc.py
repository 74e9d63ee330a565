"""What a DVC user does, with a real `dvc` in a real clone."""

import csv
import io
import json

import pytest
from clones import Clone, environment

pytestmark = pytest.mark.xdist_group("pipeline")


def test_exp_show_compares_headline_and_per_class_f1(clinic):
    shown = list(csv.DictReader(io.StringIO(clinic.run("dvc", "exp", "show", "--csv").stdout)))
    rows = {row["Experiment"]: row for row in shown if row["Experiment"] in ("baseline", "focal")}
    assert set(rows) == {"baseline", "focal"}
    assert rows["focal"]["loss"] == "focal"
    for row in rows.values():
        assert 0 < float(row["top1"]) <= float(row["top3"]) <= 1
        assert 0 <= float(row["eczema"]) <= 1
    assert rows["baseline"]["top1"] != "" != rows["focal"]["macro_f1"]


def test_metrics_diff_shows_what_an_experiment_changed(clinic):
    diff = json.loads(clinic.run("dvc", "metrics", "diff", "baseline", "focal", "--json", "--all").stdout)
    diff = diff.get("diff", diff)
    assert {"top1", "top3", "macro_f1", "balanced_accuracy", "rare_recall", "sink_ratio", "ece"} == set(diff["metrics/headline.json"])
    assert len(diff["metrics/f1.json"]) == 25


def test_a_misspelt_loss_is_refused_with_the_valid_names_before_anything_is_trained(clinic):
    before = clinic.metrics()
    run = clinic.run("dvc", "exp", "run", "-S", "loss=focl", ok=False)
    assert run.returncode != 0
    said = " ".join((run.stdout + run.stderr).split())
    assert "did you mean focal?). Valid: ce, focal, bce, balanced_softmax, logit_adjusted" in said
    assert "Traceback" not in said
    clinic.run("git", "checkout", "--", ".")
    clinic.run("dvc", "exp", "apply", "focal")
    assert clinic.metrics() == before


def test_a_second_experiment_reuses_pull_embed_and_flag(clinic):
    run = clinic.run("dvc", "repro", "--dry", "--force", "--single-item", "train")
    assert "Running stage 'train'" in run.stdout
    status = clinic.run("dvc", "repro", "--dry")
    assert "Running stage" not in status.stdout


def test_the_same_seed_gives_byte_identical_metrics(clinic):
    before = clinic.metrics()
    clinic.run("dvc", "repro", "--force", "--no-run-cache", "--single-item", "train")
    clinic.run("dvc", "repro", "--force", "--no-run-cache", "--single-item", "evaluate")
    assert clinic.metrics() == before


def test_compare_reads_experiments_out_of_the_cache(clinic):
    table = clinic.run("dermlab", "compare", "baseline", "focal").stdout
    assert "baseline" in table
    assert "focal" in table
    assert (clinic.folder / "data" / "comparison.html").exists()
    unknown = clinic.run("dermlab", "compare", "baseline", "fokal", ok=False)
    assert unknown.returncode == 1
    assert "focal" in unknown.stderr
    assert "Traceback" not in unknown.stderr


def test_another_machine_restores_an_experiment_from_s3_without_running_a_stage(clinic, store, tmp_path):
    here = Clone(clinic.folder, environment(**store))
    here.run("dvc", "push", "--run-cache")
    here.run("git", "clone", "-q", str(clinic.folder), str(tmp_path / "there"))
    there = Clone(tmp_path / "there", environment(**store))
    run = there.run("dvc", "exp", "run", "--pull", "-S", "loss=focal")
    assert "Running stage" not in run.stdout
    assert there.metrics() == clinic.metrics()


def test_a_remote_without_credentials_is_an_error_and_changes_nothing(clinic, store, tmp_path):
    nobody = Clone(clinic.folder, environment(**{**store, "AWS_SECRET_ACCESS_KEY": "wrong"}))
    before = clinic.metrics()
    push = nobody.run("dvc", "push", ok=False)
    assert push.returncode != 0
    assert clinic.metrics() == before


def test_no_git_tracked_file_is_data(clinic):
    tracked = clinic.run("git", "ls-files", "data", "metrics", "models").stdout.split()
    assert sorted(tracked) == ["data/relabels.csv", "data/source.dvc"]
