"""Every stage, killed at a random moment with all that it had started: the next run ends as if nothing had happened."""

import os
import random
import signal
import subprocess
import time

import psutil
import pytest
from clones import Clone, copy_of
from ruamel.yaml import YAML

STAGES = ("catalog", "pull", "embed", "flag", "manifest", "train", "calibrate", "evaluate", "report")
KILLS = int(os.environ.get("DERMLAB_KILLS", "0"))  # moments a stage, by `make soak`; else one moment of one
ONE = ("pull",)  # which goes on from its parts, as `embed` does; the training is killed below


@pytest.fixture(scope="module")
def clone(finished_clinic, tmp_path_factory) -> Clone:
    clone = copy_of(finished_clinic, tmp_path_factory.mktemp("kills"))
    clone.undisturbed = outs_of(clone)
    assert set(clone.undisturbed) == set(clone.seconds) == set(STAGES)
    return clone


def outs_of(clone: Clone) -> dict[str, dict[str, str]]:
    lock = YAML(typ="safe").load((clone.folder / "dvc.lock").read_text())
    return {stage: {out["path"]: out["md5"] for out in entry["outs"]} for stage, entry in lock["stages"].items()}


def start_and_kill(clone: Clone, stage: str, after: float) -> None:
    """Seconds after the stage has begun. It runs whatever DVC has of it in its cache."""
    run = subprocess.Popen(
        ["dvc", "repro", "--force", "--single-item", stage], cwd=clone.folder, env=clone.environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    for line in run.stdout:
        if line.startswith(f"Running stage '{stage}'"):
            break
    time.sleep(after)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    run.stdout.close()


@pytest.mark.parametrize("stage", STAGES if KILLS else ONE)
@pytest.mark.parametrize("moment", range(max(KILLS, 1)))
def test_a_killed_stage_ends_as_if_it_had_not_been(clone, stage, moment):
    start_and_kill(clone, stage, random.Random(f"{stage} {moment}").uniform(0, clone.seconds[stage]))
    clone.run("dvc", "repro")
    assert outs_of(clone) == clone.undisturbed
    assert clone.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."
    left = [path for path in (clone.folder / ".checkpoints").rglob("*") if path.suffix in (".arrow", ".npy")]  # parts of pull and embed
    assert left == []
    assert not [p for p in psutil.process_iter(["cmdline"]) if any(str(clone.folder) in word for word in p.info["cmdline"] or ())]


def test_a_killed_training_goes_on_after_a_comment_in_a_file_that_it_does_not_depend_on(clone):
    own = Clone(clone.folder, {**clone.environment, "PYTHONPATH": str(clone.folder / "src")})  # its own code, not what is installed
    command = ["dvc", "repro", "--force", "--single-item", "train"]
    run = subprocess.Popen(command, cwd=own.folder, env=own.environment, start_new_session=True, stdout=subprocess.DEVNULL)
    while not list((own.folder / ".checkpoints").glob("*/state.pt")):
        assert run.poll() is None, "it ended before a checkpoint was written"
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    told, learnt = (own.folder / "src" / "dermlab" / name for name in ("run/progress.py", "calibrate/tiers.py"))
    before = {path: path.read_text() for path in (told, learnt)}
    for path, text in before.items():
        path.write_text(text + "# a comment\n")
    said = own.run(*command).stdout
    for path, text in before.items():
        path.write_text(text)
    assert "train: goes on after epoch" in said
    clone.run("dvc", "repro")
    assert outs_of(clone) == clone.undisturbed
