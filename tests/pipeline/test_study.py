"""A study with a real `dvc`, and what is left when it is killed."""

import json
import os
import random
import signal
import subprocess
import time

import psutil
import pytest
from clones import Clone, copy_of, leave_out
from ruamel.yaml import YAML

RECIPE = """\
experiments:
  baseline: {variant: baseline}
  reviewed: {variant: relabeled, loss: focal, review: 0.05}
"""
EXPECTED = {
    "baseline": {"variant": "baseline", "loss": "ce", "ledger": "data/relabels.csv"},
    "reviewed": {"variant": "relabeled", "loss": "focal", "ledger": "data/simulated/review-0.05.csv"},
}
SOAK = "DERMLAB_KILLS" in os.environ
KILLS = int(os.environ.get("DERMLAB_KILLS", "1"))  # moments a signal; `make soak` asks for ten
soak = pytest.mark.skipif(not SOAK, reason="`make soak`; tests/study/test_at_once.py stops studies and runs them beside each other, too")
LONGEST = 20 if SOAK else 12  # seconds; about what the killed study takes
# But for `make soak`, a pipeline that ends with training, and nothing is compared: a study does not know one stage from another. With all
# stages but the report, `dermlab study` runs in test_pod.py.
AFTER_TRAINING = () if SOAK else ("calibrate", "evaluate", "report")
COMMAND = """\
import sys
from pathlib import Path
from dermlab.run.command import run_command
from dermlab.study.recipe import read_recipe
from dermlab.study.run import run_study
run_command(lambda: run_study(read_recipe(Path(sys.argv[1])), at_once=int(sys.argv[2])))
"""


@pytest.fixture(scope="module")
def clone(finished_clinic, tmp_path_factory) -> Clone:
    """A clone in which the study has run once, with a line in the ledger that a reviewer has not committed yet."""
    clone = copy_of(finished_clinic, tmp_path_factory.mktemp("study"))
    clone.run("dvc", "exp", "remove", "--all-commits")
    clone.run("git", "checkout", "--", ".")
    leave_out(clone, AFTER_TRAINING)
    (clone.folder / "recipes" / "small.yaml").write_text(RECIPE)
    clone.commit("a small study")
    clone.said = clone.run(*study())
    clone.undisturbed = clone.metrics()
    clone.line = _line_of_a_reviewer(clone)
    with (clone.folder / "data" / "relabels.csv").open("a") as ledger:
        ledger.write(clone.line)
    return clone


def _line_of_a_reviewer(clone: Clone) -> str:
    code = (
        "from dermlab.data.rows import read_rows\n"
        "rows = read_rows(); row = rows[(rows.split == 'train')].iloc[0]\n"
        "print(row.image_id, row.label, row.label, 'looked again', 'me', '2026-01-01', sep=',')"
    )
    return clone.run("python", "-c", code).stdout


def file_in(clone: Clone, name: str, path: str) -> str:
    """Of an experiment."""
    head = clone.run("git", "rev-parse", "main").stdout.strip()
    return clone.run("git", "show", f"refs/exps/{head[:2]}/{head[2:]}/{name}:{path}").stdout


def params_in(clone: Clone, name: str) -> dict:
    params = YAML(typ="safe").load(file_in(clone, name, "params.yaml"))
    return {"variant": params["variant"], "loss": params["loss"], "ledger": params["manifest"]["ledger"]}


def outs_in(clone: Clone, name: str) -> dict[str, list[dict]]:
    lock = YAML(typ="safe").load(file_in(clone, name, "dvc.lock"))
    return {stage: entry["outs"] for stage, entry in lock["stages"].items()}


def loss_of_the_workspace(clone: Clone) -> str:
    lock = YAML(typ="safe").load((clone.folder / "dvc.lock").read_text())
    return lock["stages"]["train"]["params"]["params.yaml"]["loss"]


def check_all_is_well(clone: Clone) -> None:
    assert {name: params_in(clone, name) for name in EXPECTED} == EXPECTED
    assert clone.run("dvc", "exp", "list", "--name-only").stdout.split() == sorted(EXPECTED)
    assert clone.run("git", "symbolic-ref", "--short", "HEAD").stdout == "main\n"
    changed = clone.run("git", "status", "--porcelain").stdout.splitlines()
    assert sorted(line[3:] for line in changed) == ["data/relabels.csv", "dvc.lock"]
    assert (clone.folder / "data" / "relabels.csv").read_text().endswith(clone.line)
    assert loss_of_the_workspace(clone) == "ce"


def study(recipe: str = "small", at_once: int = 1) -> list[str]:
    if SOAK:
        return ["dermlab", "study", recipe, "--at-once", str(at_once)]
    return ["python", "-c", COMMAND, f"recipes/{recipe}.yaml", str(at_once)]


def start(clone: Clone) -> subprocess.Popen:
    return subprocess.Popen(
        study(), cwd=clone.folder, env=clone.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def forget_runs(clone: Clone) -> None:
    """So that a study has to train again, and there is time to kill it."""
    for folder in (".dvc/cache/runs", ".checkpoints"):
        subprocess.run(["rm", "-rf", str(clone.folder / folder)], check=True)
    text = (clone.folder / "dvc.lock").read_text()
    lock = YAML(typ="safe").load(text)
    for stage in ("manifest", "train", "calibrate", "evaluate", "report"):
        lock["stages"].pop(stage, None)
    with (clone.folder / "dvc.lock").open("w") as file:
        YAML().dump(lock, file)


def test_a_study_leaves_its_experiments_and_the_workspace_as_it_was(clone):
    check_all_is_well(clone)


def test_between_its_lines_stands_no_advice_that_nobody_should_follow(clone):
    said = clone.said.stdout + clone.said.stderr
    assert "Running stage 'train'" in said
    for advice in ("git add", "autostage", "No file hash info", "lock file"):
        assert advice not in said


def test_the_answers_of_a_simulated_reviewer_are_in_his_experiment_alone(clone):
    answers = file_in(clone, "reviewed", "data/simulated/review-0.05.csv")
    rows = json.loads((clone.folder / "metrics" / "flag.json").read_text())["rows"]
    assert len(answers.splitlines()) == 1 + round(0.05 * rows)
    assert not (clone.folder / "data" / "simulated").exists()


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=soak)], ids=["SIGKILL", "SIGTERM"])
@pytest.mark.parametrize("moment", range(KILLS))
def test_a_study_killed_at_any_moment_ends_as_if_it_had_not_been(clone, how, moment):
    """Whatever params.yaml says that is not committed: it is kept, and no experiment runs with it."""
    before = clone.metrics()
    forget_runs(clone)
    params = clone.folder / "params.yaml"
    committed = params.read_text()
    params.write_text(committed.replace("loss: ce", "loss: bce"))
    try:
        killed = start(clone)
        time.sleep(random.Random(f"{how} {moment}").uniform(1, LONGEST))
        killed.send_signal(how)  # the study alone: with SIGKILL the dvc that it started works on
        killed.wait(120)
        said = clone.run(*study()).stdout
        assert "params.yaml is not as committed (loss=bce, not ce)" in said
        assert "loss: bce" in params.read_text()
    finally:
        params.write_text(committed)
    check_all_is_well(clone)
    assert clone.metrics() == before
    assert not [p for p in psutil.process_iter(["cmdline"]) if any(str(clone.folder) in word for word in p.info["cmdline"] or ())]


def test_after_a_killed_run_reset_brings_head_params_and_results_back(clone):
    run = subprocess.Popen(
        ["dvc", "exp", "run", "-S", "loss=bce"], cwd=clone.folder, env=clone.environment, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    for line in run.stdout:
        if "stages/train.py" in line:
            break
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert clone.run("git", "symbolic-ref", "-q", "HEAD", ok=False).returncode, "the kill came where HEAD is detached"
    (clone.folder / ".dvc" / "tmp" / "rwlock").write_text("")
    said = clone.run("dermlab", "reset").stdout
    assert "HEAD detached; it is on main again" in said
    assert clone.run("git", "symbolic-ref", "--short", "HEAD").stdout == "main\n"
    assert clone.run("git", "diff", "--stat", "HEAD", "--", "params.yaml").stdout == ""
    assert (clone.folder / "data" / "relabels.csv").read_text().endswith(clone.line)
    clone.run("dermlab", "apply", "baseline")
    check_all_is_well(clone)


def test_an_experiment_of_the_same_name_that_somebody_ran_by_hand_is_not_replaced(clone):
    clone.run("dvc", "exp", "rename", "reviewed", "kept")
    clone.run("dvc", "exp", "rename", "baseline", "reviewed")
    refused = clone.run(*study(), ok=False)
    said = " ".join(refused.stderr.split())
    assert "There is an experiment reviewed already, with other params than this recipe's (variant=baseline, not relabeled; loss=ce" in said
    clone.run("dvc", "exp", "rename", "reviewed", "baseline")
    clone.run("dvc", "exp", "rename", "kept", "reviewed")
    check_all_is_well(clone)


def test_apply_keeps_the_lines_that_a_reviewer_wrote_since(clone):
    clone.run("dermlab", "apply", "reviewed")
    assert (clone.folder / "data" / "relabels.csv").read_text().endswith(clone.line)
    assert loss_of_the_workspace(clone) == "focal"


def start_anew(clone: Clone, *experiments: str) -> None:
    forget_runs(clone)
    clone.run("dvc", "exp", "remove", *experiments)
    clone.run("git", "checkout", "-q", "params.yaml")


def in_slots(clone: Clone) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(clone.folder / ".dvc" / "tmp" / "at-once") in process.cwd():
                found.append(process)
        except psutil.Error:  # ended meanwhile
            continue
    return found


@soak
def test_experiments_beside_each_other_end_as_one_after_the_other_and_one_that_fails_is_shown(clone):
    before = outs_in(clone, "reviewed")
    recipe = "\n".join(line for line in RECIPE.splitlines() if "baseline:" not in line)
    (clone.folder / "recipes" / "broken.yaml").write_text(f"{recipe}\n  broken: {{train.batch_size: 100000}}\n")
    start_anew(clone, "reviewed")
    failed = clone.run(*study("broken", at_once=2), ok=False)
    assert failed.returncode == 1
    for said in ("reviewed: runs", "broken: failed", "train.batch_size"):
        assert said in failed.stdout
    assert "Failed: broken; what each said stands above" in " ".join(failed.stderr.split())
    (clone.folder / "recipes" / "broken.yaml").unlink()
    assert outs_in(clone, "reviewed") == before
    assert loss_of_the_workspace(clone) == "focal"
    clone.run("dermlab", "apply", "baseline")
    check_all_is_well(clone)
    assert {slot.name for slot in (clone.folder / ".dvc" / "tmp" / "at-once").glob("*/")} <= {"broken"}
    told = (clone.folder / "data" / "train-log.jsonl").read_text().splitlines()
    assert {"baseline-unfinished", "reviewed-unfinished"} <= {json.loads(line)["experiment"] for line in told}


@soak
def test_killed_while_some_run_beside_each_other_none_of_them_goes_on_and_the_next_start_ends_them(clone):
    start_anew(clone, *EXPECTED)
    killed = subprocess.Popen(study(at_once=2), cwd=clone.folder, env=clone.environment, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    for line in killed.stdout:
        if "reviewed: runs" in line:
            break
    while not in_slots(clone):
        assert killed.poll() is None
        time.sleep(0.1)
    time.sleep(3)
    killed.kill()
    killed.wait()
    psutil.wait_procs(in_slots(clone), timeout=60)
    assert not in_slots(clone)
    clone.run(*study(at_once=2))
    check_all_is_well(clone)
    assert clone.metrics() == clone.undisturbed
