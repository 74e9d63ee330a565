"""A stop asked for while experiments run beside each other, with a real `dvc`, whose stages here do nothing but wait."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from clones import environment
from defaults import DEFAULTS
from ruamel.yaml import YAML

# `train` says that it runs and waits, but for cross entropy, which it is done with; then it says that it ended by itself.
STAGES = """\
stages:
  flag: {cmd: echo > flags, outs: [flags]}
  train:
    cmd: python train.py
    params: [loss]
    deps: [flags, train.py]
    outs: [trained]
"""
TRAIN = """\
import pathlib, time
from ruamel.yaml import YAML
loss = YAML(typ="safe").load(pathlib.Path("params.yaml"))["loss"]
said = pathlib.Path({said!r})
(said / f"{{loss}} runs").touch()
time.sleep(0 if loss == "ce" else 200)
pathlib.Path("trained").write_text(loss)
(said / f"{{loss}} is through").touch()
"""
# A training without waiting, of which binary cross entropy fails; it tells its cost as the real one does.
QUICK = """\
import json, os, pathlib, sys
from ruamel.yaml import YAML
loss = YAML(typ="safe").load(pathlib.Path("params.yaml"))["loss"]
if loss == "bce":
    sys.exit("loss: there are too few rows")
pathlib.Path("trained").write_text(loss)
with open("data/train-log.jsonl", "a") as log:
    print(json.dumps({"experiment": os.environ["DVC_EXP_NAME"]}), file=log)
"""
# git, of which `clone` takes long, as `dvc checkout` does of a large pin.
SLOW_GIT = """\
#!/bin/sh
[ "$1" = clone ] && touch "{said}/opening" && exec sleep 200
exec {git} "$@"
"""
STUDY = """\
from dermlab.run.command import run_command
from dermlab.study.recipe import Experiment
from dermlab.study.run import run_study
planned = [Experiment(loss, {"loss": loss}) for loss in ("ce", "focal", "bce")]
run_command(lambda: run_study(planned, at_once=2))
"""
# The same where what is done is shared, which takes long.
SHARED = STUDY.replace("at_once=2", "at_once=3, share=True").replace(
    "planned =",
    """\
import dermlab.study.run, time
dermlab.study.run.pull_experiments = lambda names: None
dermlab.study.run.push_experiment = lambda name, started: time.sleep(200)
planned =""",
)


soak = pytest.mark.skipif("DERMLAB_KILLS" not in os.environ, reason="`make soak`; a stop while some train and others wait runs always")


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder / "work", folder / "said"
        self.said.mkdir()
        (self.folder / "data" / "source").mkdir(parents=True)
        (self.folder / "data" / "source" / "pin").write_text("photos")
        (self.folder / "dvc.yaml").write_text(STAGES)
        (self.folder / "train.py").write_text(TRAIN.format(said=str(self.said)))
        (self.folder / ".gitignore").write_text("/data/source\n/data/.*\n/data/*.jsonl\n/flags\n/trained\n/.checkpoints/\n")
        shutil.copy(DEFAULTS, self.folder / "params.yaml")
        self.environment = environment()
        for command in ("git init -q -b main", "dvc init -q", "dvc add -q data/source", "git add -A", "git commit -qm first"):
            self.run(*command.split())

    def run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, study: str = STUDY) -> subprocess.Popen:
        with (self.said / "log").open("w") as log:
            return subprocess.Popen([sys.executable, "-c", study], cwd=self.folder, env=self.environment, stdout=log, stderr=log)

    def wait_for(self, what: str, log: Path | None = None) -> None:
        log = log or self.said / "log"
        for _ in range(1200):
            if (self.said / what).exists() or what in log.read_text():
                return
            time.sleep(0.1)
        raise AssertionError(log.read_text())

    def processes(self) -> list[psutil.Process]:
        """Those at work in the repository or in a slot of it."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid != os.getpid() and process.cwd().startswith(str(self.folder)):
                    found.append(process)
            except psutil.Error:  # ended meanwhile
                continue
        return found


@pytest.fixture
def repository(tmp_path):
    repository = Repository(tmp_path)
    yield repository
    for process in repository.processes():
        process.kill()


def outs_in(repository: Repository, name: str) -> dict[str, list[dict]]:
    """Of an experiment, by stage."""
    head = repository.run("git", "rev-parse", "HEAD").strip()
    lock = YAML(typ="safe").load(repository.run("git", "show", f"refs/exps/{head[:2]}/{head[2:]}/{name}:dvc.lock"))
    return {stage: entry["outs"] for stage, entry in lock["stages"].items()}


def stop(repository: Repository, study: subprocess.Popen) -> None:
    """As a pod is stopped. Whatever the experiments were at, the study has ended long before they would have."""
    study.send_signal(signal.SIGTERM)
    assert study.wait(60) == 130, (repository.said / "log").read_text()
    _, alive = psutil.wait_procs(repository.processes(), timeout=5)
    assert not alive
    assert repository.run("git", "symbolic-ref", "--short", "HEAD") == "main\n"
    assert repository.run("git", "diff", "HEAD", "--name-only", "params.yaml") == ""


def test_experiments_beside_each_other_end_as_one_after_the_other_and_one_that_fails_is_shown(repository):
    (repository.folder / "train.py").write_text(QUICK)
    repository.run("git", "commit", "-qam", "all are quick, one fails")
    two = STUDY.replace('("ce", "focal", "bce")', '("focal", "bce")')
    alone = two.replace("at_once=2", "at_once=1").replace('("focal", "bce")', '("focal",)')
    assert repository.start(alone).wait(60) == 0, (repository.said / "log").read_text()
    before = outs_in(repository, "focal")
    repository.run("dvc", "exp", "remove", "focal")
    shutil.rmtree(repository.folder / ".dvc" / "cache" / "runs")
    log = repository.folder / "data" / "train-log.jsonl"
    log.unlink()

    assert repository.start(two).wait(60) == 1
    said = " ".join((repository.said / "log").read_text().split())
    for word in ("focal: runs", "bce: failed", "loss: there are too few rows", "Failed: bce; what each said stands above"):
        assert word in said
    assert outs_in(repository, "focal") == before
    assert [json.loads(line)["experiment"] for line in log.read_text().splitlines()] == ["focal-unfinished"]
    assert repository.run("git", "symbolic-ref", "--short", "HEAD") == "main\n"
    assert repository.run("git", "diff", "HEAD", "--name-only", "params.yaml") == ""
    assert {slot.name for slot in (repository.folder / ".dvc" / "tmp" / "at-once").glob("*/")} == {"bce"}


def test_a_stop_while_one_trains_keeps_what_was_finished_and_what_is_not_committed_and_the_next_study_goes_on(repository):
    """One after the other, in the workspace itself."""
    params = repository.folder / "params.yaml"
    edited = params.read_text().replace("loss: ce", "loss: bce")
    params.write_text(edited)
    alone = STUDY.replace("at_once=2", "at_once=1").replace('("ce", "focal", "bce")', '("ce", "focal")')
    study = repository.start(alone)
    repository.wait_for("focal runs")
    study.send_signal(signal.SIGTERM)
    assert study.wait(60) == 130, (repository.said / "log").read_text()
    _, alive = psutil.wait_procs(repository.processes(), timeout=5)
    assert not alive
    assert repository.run("git", "symbolic-ref", "--short", "HEAD") == "main\n"
    assert params.read_text() == edited
    assert repository.run("dvc", "exp", "list", "--name-only").split() == ["ce"]
    train = repository.folder / "train.py"
    train.write_text(train.read_text().replace("else 200", "else 0"))
    repository.run("git", "commit", "-qm", "all are quick", "train.py")
    assert repository.start(alone).wait(60) == 0
    assert repository.run("dvc", "exp", "list", "--name-only").split() == ["ce", "focal"]
    assert params.read_text() == edited


@soak
def test_a_stop_while_slots_open_ends_the_study_and_nothing_is_trained(repository):
    slow = repository.said / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(SLOW_GIT.format(said=repository.said, git=shutil.which("git")))
    slow.chmod(0o755)
    repository.environment["PATH"] = f"{slow.parent}{os.pathsep}{repository.environment['PATH']}"
    study = repository.start()
    repository.wait_for("opening")
    stop(repository, study)
    assert not list(repository.said.glob("* runs"))


def test_a_stop_while_some_train_and_others_wait_ends_them_and_keeps_what_was_finished(repository):
    study = repository.start()
    repository.wait_for("ce: done")
    repository.wait_for("focal runs")
    stop(repository, study)
    assert repository.run("dvc", "exp", "list", "--name-only").split() == ["ce"]
    assert {path.name for path in repository.said.glob("* is through")} == {"ce is through"}


@soak
def test_a_stop_while_one_is_pushed_keeps_another_that_was_finished_meanwhile(repository):
    train = repository.folder / "train.py"
    train.write_text(train.read_text().replace('if loss == "ce" else 200', 'if loss == "ce" else 6 if loss == "focal" else 200'))
    repository.run("git", "commit", "-qam", "focal is quick")
    study = repository.start(SHARED)
    repository.wait_for("ce: done")
    repository.wait_for("focal: done", repository.folder / ".dvc" / "tmp" / "at-once" / "focal.log")
    stop(repository, study)
    assert repository.run("dvc", "exp", "list", "--name-only").split() == ["ce", "focal"]
    assert not (repository.said / "bce is through").exists()
