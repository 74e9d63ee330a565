"""What a DVC user does, with a real `dvc` in a real clone."""

import csv
import io
import json
import os
import re
from contextlib import chdir

import numpy as np
import pytest
import yaml
from clones import FOCAL, ROOT, Clone, environment, set_param
from dvc.repo import Repo
from safetensors.numpy import load_file

from dermlab.data.tables import PREDICTIONS, read_table
from dermlab.model.saved import load_model
from dermlab.run import paths


def refused(clinic: Clone, override: str) -> str:
    """What an experiment that must fail says, in one line; afterwards the workspace is that of `focal` again."""
    run = clinic.run("dvc", "exp", "run", "-S", override, ok=False)
    assert run.returncode != 0
    said = " ".join((run.stdout + run.stderr).split())
    assert "Traceback" not in said
    clinic.run("git", "checkout", "--", ".")
    clinic.run("dvc", "exp", "apply", "focal")
    return said


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
    assert {"top1", "top3", "macro_f1", "balanced_accuracy", "rare_recall", "sink_ratio", "brier", "nll"} == set(
        diff["metrics/headline.json"]
    )
    assert len(diff["metrics/f1.json"]) == 25


def test_plots_show_curves_confusion_and_reliability_of_two_experiments(clinic):
    shown = json.loads(clinic.run("dvc", "plots", "diff", "baseline", "focal", "--json").stdout)
    assert not shown.get("errors")
    for name in ("Loss", "Validation"):
        (plot,) = shown["data"][name]
        assert plot["revisions"] == ["baseline", "focal"]
        assert len(plot["content"]["data"]["values"]) >= 4
    drawn = {
        name: [row for plot in shown["data"][name] for row in plot["content"]["data"]["values"]] for name in ("Confusion", "Reliability")
    }
    scored = json.loads((clinic.folder / "metrics" / "evaluate.json").read_text())
    focal = [row for row in drawn["Confusion"] if row["rev"] == "focal"]
    names, matrix = scored["confusion"]["classes"], scored["confusion"]["matrix"]
    first = [row for row in focal if (row["actual"], row["predicted"]) == (names[0], names[0])]
    assert len(focal) == sum(map(sum, matrix))
    assert len(first) == matrix[0][0]
    assert len([row for row in drawn["Reliability"] if row["rev"] == "focal"]) == len(scored["calibration"])


def test_a_misspelt_loss_is_refused_with_the_valid_names_before_anything_is_trained(clinic):
    before = clinic.metrics()
    said = refused(clinic, "loss=focl")
    assert "did you mean focal?). Valid: ce, focal, bce, balanced_softmax, logit_adjusted" in said
    assert clinic.metrics() == before


def ran(said: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", said)


@pytest.fixture
def as_focal(clinic):
    """Afterwards the workspace is that of `focal` again."""
    yield
    clinic.run("git", "checkout", "--", ".")
    clinic.run("dvc", "exp", "apply", "focal")


def test_a_second_experiment_reuses_pull_embed_and_flag_and_hands_over_what_it_scored(clinic):
    """Also where logits are adjusted on validation, as `focal`'s are: `predict` gives the very probabilities that were scored."""
    assert list(clinic.second) == ["train", "calibrate", "evaluate", "report"]
    chosen = json.loads((clinic.folder / "models" / "model" / "calibration.json").read_text())
    assert chosen["tau"] == chosen["chosen_tau"] > 0
    with chdir(clinic.folder):
        model, table = load_model(), read_table(paths.PREDICTIONS, PREDICTIONS)
        given = model.probabilities(load_file(paths.OUTPUTS)["logits"])
    np.testing.assert_allclose(table[[f"prob_{name}" for name in model.classes.names]].to_numpy(), given, rtol=0, atol=1e-6)


def test_a_new_threshold_trains_nothing_and_runs_no_network(clinic, as_focal):
    before = clinic.metrics()
    set_param(clinic, "  answer: 0.9", "  answer: 0.5")
    set_param(clinic, "  unfamiliar: 0.01", "  unfamiliar: 0.05")
    said = clinic.run("dvc", "repro").stdout
    assert ran(said) == ["calibrate", "evaluate", "report"]
    assert "no network ran" in said
    after = clinic.metrics()
    assert after["metrics/headline.json"] == before["metrics/headline.json"]
    assert after["metrics/calibrate.json"] != before["metrics/calibrate.json"]


def changed_deps(clinic: Clone) -> dict[str, set[str]]:
    """Stage -> those of its own dependencies that are not as they were when it ran. What follows runs where outs come out otherwise."""
    with chdir(clinic.folder), Repo() as repo:
        status = repo.status()
    return {stage: {dep for entry in what for dep in entry.get("changed deps", {})} for stage, what in status.items()}


COSTS = [  # file, old text (none: added at the end), new text, the stages whose own dependency that is
    ("src/dermlab/run/progress.py", "", "# a bar\n", set()),
    ("src/dermlab/run/objects/bucket.py", "", "# a retry\n", set()),
    ("src/dermlab/phantom/skin.py", "", "# a pore\n", set()),
    ("requirements.lock", "obstore==", "obstore==9", set()),
    ("src/dermlab/scores/headline.py", "", "# a score\n", {"evaluate", "report"}),
    ("src/dermlab/calibrate/tiers.py", "", "# a threshold\n", {"calibrate"}),
    ("params.yaml", "  answer: 0.9", "  answer: 0.8", {"calibrate", "report"}),
]


@pytest.mark.parametrize(("file", "old", "new", "reruns"), COSTS)
def test_a_change_reruns_the_stages_that_it_reaches_and_no_other(clinic, file, old, new, reruns):
    path = clinic.folder / file
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new, 1) if old else before + new)
    changed = changed_deps(clinic)
    path.write_text(before)
    assert set(changed) == reruns


def test_without_a_change_nothing_reruns(clinic):
    assert changed_deps(clinic) == {}


def stages_of(file: str, key: str = "") -> set[str]:
    """The stages that dvc.yaml lets depend on a file, or on a key of a file of params."""
    found = set()
    for stage, spec in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items():
        params = [{"params.yaml": [entry]} if isinstance(entry, str) else entry for entry in spec["params"]]
        keys = {name for entry in params for name in entry.get(file, [])}
        if key.split(".")[0] in keys or any(file == dep or file.startswith(f"{dep}/") for dep in spec["deps"]):
            found.add(stage)
    return found


@pytest.mark.parametrize(
    ("file", "key", "reruns"),
    [
        ("src/dermlab/run/machine.py", "", set()),
        ("src/dermlab/run/workers.py", "", set()),
        ("src/dermlab/verdict/judge.py", "", set()),
        ("src/dermlab/review/templates/review.css", "", set()),
        ("src/dermlab/lock/folder.py", "", set()),
        ("src/dermlab/model/text.py", "", {"flag"}),
        ("src/dermlab/model/images.py", "", {"embed", "train", "evaluate"}),
        ("src/dermlab/scores/bootstrap.py", "", {"evaluate", "report"}),
        ("src/dermlab/report/figures.py", "", {"report"}),
        ("src/dermlab/train/losses.py", "", {"train"}),
        ("src/dermlab/train/params.py", "", {"train"}),
        ("src/dermlab/manifest/variants.py", "", {"manifest"}),
        ("params.yaml", "machine.workers", set()),
        ("params.yaml", "loss", {"train", "report"}),
        ("params.yaml", "variant", {"manifest", "report"}),
        ("params.yaml", "train.head_lr", {"train", "report"}),
        ("params.yaml", "catalog.noise_rate", {"catalog"}),
        ("params.yaml", "evaluate.bootstrap", {"evaluate", "report"}),
        ("params.yaml", "backbone", {"embed", "flag", "train", "report"}),
        ("versions.yaml", "timm", {"embed", "flag", "train", "evaluate"}),
        ("versions.yaml", "pillow", {"pull", "embed", "train", "evaluate", "report"}),
        ("versions.yaml", "obstore", set()),
    ],
)
def test_what_a_change_reaches_stands_in_dvc_yaml(file, key, reruns):
    assert (ROOT / file).exists()
    assert stages_of(file, key) == reruns


def test_the_same_seed_gives_byte_identical_metrics(clinic):
    """Of a training: test_kills.py."""
    before = clinic.metrics()
    for stage in ("calibrate", "evaluate"):
        clinic.run("python", f"stages/{stage}.py")
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


def test_every_command_says_the_same_of_a_study(clinic):
    """Its seeds, its baseline, its sentences: whatever is asked, and in whatever order."""
    try:
        clinic.run("dvc", "exp", "run", "--name", "focal-s18", *FOCAL, "-S", "seed=18", "evaluate")
        clinic.run("dermlab", "compare", "baseline", "focal")
        page = json.loads((clinic.folder / "data" / "comparison.json").read_text())
        (judged,) = page["recipes"][1:]
        assert judged["runs"] == ["focal", "focal-s18"]
        sentence, word = judged["advice"]["sentence"], judged["advice"]["word"]
        assert sentence in " ".join(clinic.run("dermlab", "compare", "baseline", "focal-s18", "--markdown").stdout.split()).replace(
            "focal-s18:", "focal:"
        )
        assert sentence in (clinic.folder / "data" / "comparison.html").read_text().replace("focal-s18:", "focal:")
        table = list(csv.DictReader(io.StringIO(clinic.run("dermlab", "table", "baseline", "focal", "--csv").stdout)))
        assert [(row["recipe"], row["seeds"], row["advice"]) for row in table] == [("baseline", "1", "baseline"), ("focal", "2", word)]
        commit = {}
        for name in ("baseline", "focal"):
            refs = clinic.run("git", "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps/").stdout.splitlines()
            commit[name] = next(ref.split()[0] for ref in refs if ref.endswith(f"/{name}"))
            clinic.run("git", "branch", "--force", f"pull-{name}", commit[name])
        clinic.run("git", "switch", "--quiet", "--force", "pull-focal")
        comment = clinic.run("dermlab", "comment", "pull-baseline").stdout
        assert sentence.removeprefix("focal: ") in comment
    finally:
        clinic.run("git", "switch", "--quiet", "--force", "main")
        clinic.run("dvc", "exp", "remove", "focal-s18", ok=False)
        clinic.run("dvc", "exp", "apply", "focal")


def test_another_machine_restores_an_experiment_from_s3_without_running_a_stage(clinic, store, tmp_path):
    here = Clone(clinic.folder, environment(**store))
    here.run("dvc", "push", "--run-cache")
    here.run("git", "clone", "-q", str(clinic.folder), str(tmp_path / "there"))
    there = Clone(tmp_path / "there", environment(**store))
    run = there.run("dvc", "exp", "run", "--pull", *FOCAL)
    assert "Running stage" not in run.stdout
    assert there.metrics() == clinic.metrics()


def test_a_remote_without_credentials_is_an_error_and_changes_nothing(clinic, store, tmp_path):
    nobody = Clone(clinic.folder, environment(**{**store, "AWS_SECRET_ACCESS_KEY": "wrong"}))
    before = clinic.metrics()
    push = nobody.run("dvc", "push", ok=False)
    assert push.returncode != 0
    assert clinic.metrics() == before


@pytest.mark.skipif("DERMLAB_KILLS" not in os.environ, reason="`make soak`; two processes embed in tests/embed, and train in tests/train")
def test_two_processes_of_a_stage_write_what_one_writes(clinic):
    """gloo on the cores of one machine; on a GPU machine it is nccl. Sums in bfloat16 may end in another last digit."""
    alone = json.loads(clinic.metrics()["metrics/headline.json"])
    together = Clone(clinic.folder, {**clinic.environment, "DERMLAB_GPUS": "2"})
    try:
        said = together.run("python", "stages/evaluate.py").stdout
        assert said.count("evaluate: ") == 1  # by the first process alone
        assert json.loads(clinic.metrics()["metrics/headline.json"]) == pytest.approx(alone, abs=5e-3)
    finally:
        clinic.run("dvc", "checkout", "--force", "--quiet")


def test_no_git_tracked_file_is_data(clinic):
    tracked = clinic.run("git", "ls-files", "data", "metrics", "models").stdout.split()
    assert sorted(tracked) == [
        "data/groups.csv",
        "data/not-copies.csv",
        "data/readers.csv",
        "data/relabels.csv",
        "data/reviews.csv",
        "data/source.dvc",
        "metrics/README.md",
    ]


def test_the_folder_of_the_metrics_is_there_before_they_are_and_git_says_nothing_of_them(clinic):
    assert len(clinic.metrics()) > 12
    assert clinic.run("git", "status", "--porcelain", "metrics", ".gitignore").stdout == ""


def test_a_leak_beyond_what_is_allowed_fails_the_stage_with_the_pairs_named(clinic):
    """A run that fails ends: a misspelt loss, above."""
    before = clinic.metrics()
    params = clinic.folder / "params.yaml"
    committed = params.read_text()
    set_param(clinic, "  max_leak: 0.02", "  max_leak: 0.0")
    failed = clinic.run("python", "stages/flag.py", ok=False)
    params.write_text(committed)
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    assert "are copies of val or test images, more than flag.max_leak = 0.00%" in " ".join(failed.stderr.split())
    assert clinic.metrics() == before
