"""A simulated pod: an empty folder with a HOME of its own, a few environment variables, a local S3 server, and 130 MB of disk for a recipe
whose originals are larger. It is killed in the middle; another one goes on."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml
from clones import ROOT, Clone, clone_of_working_tree, leave_out
from s3_server import client_of, serving

from dermlab.phantom.clinic import simulate
from dermlab.run.objects.opening import open_objects

PHOTOS = 240
# Bytes of an original: a photo, and behind its end whatever a camera may append. `make soak` has 1 GB of them.
SIZE = 4_200_000 if "DERMLAB_KILLS" in os.environ else 650_000
BUDGET = 130e6
RECIPE = """\
seeds: [17]
set: {pull.max_quarantine: 0.05, train.frozen_epochs: 3, train.finetune_epochs: 1, train.trainable_blocks: 1}
experiments:
  baseline: {loss: ce}
  focal: {loss: focal}
"""


@dataclass
class World:
    """`team`: the clone at home, from which the pin was pushed; `environment`: all that a pod is told."""

    team: Clone
    origin: Path
    environment: dict[str, str]

    def rent(self, folder: Path) -> Path:
        """An empty machine: the clone of the repository on it."""
        (folder / "home").mkdir(parents=True)
        clone = folder / "dermlab"
        subprocess.run(["git", "clone", "-q", self.origin, clone], check=True)
        (clone / ".venv").symlink_to(Path(sys.prefix))  # as installed
        return clone

    def start(self, clone: Path) -> subprocess.Popen:
        log = (clone.parent / "log").open("w")
        environment = {**self.environment, "HOME": str(clone.parent / "home"), "PYTHONPATH": str(clone / "src")}  # what is installed there
        return subprocess.Popen(["bash", "pod/run.sh", "small"], cwd=clone, env=environment, stdout=log, stderr=log)


def said(clone: Path) -> str:
    return (clone.parent / "log").read_text()


def wait_for(clone: Path, text: str, pod: subprocess.Popen) -> None:
    for _ in range(3000):
        if text in said(clone):
            return
        assert pod.poll() is None, said(clone)[-3000:]
        time.sleep(0.1)
    raise AssertionError(said(clone)[-3000:])


def setup(home: Path, repository: str) -> dict[str, str]:
    """Runs what SkyPilot runs first on a machine, on which the repository lies already; returns the machine's environment."""
    install = home / "dermlab" / "pod" / "install.sh"
    install.parent.mkdir(parents=True)
    install.write_text(f"touch {home}/installed\n")
    machine = {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_TERMINAL_PROMPT": "0"}
    script = yaml.safe_load((ROOT / "pod" / "runpod.yaml").read_text())["setup"]
    subprocess.run(["bash", "-ec", script], cwd=home, env={**machine, "REPOSITORY": repository, "GIT_TOKEN": "s3cret"}, check=True)
    assert (home / "installed").exists()
    return {**machine, "GIT_TOKEN": "s3cret"}


def password(machine: dict[str, str], url: str) -> str:
    """What git would send there; empty where it has nothing to send."""
    asked = subprocess.run(["git", "credential", "fill"], env=machine, cwd=machine["HOME"], input=f"url={url}\n\n", capture_output=True,
                           text=True, check=False)  # fmt: skip
    return next((line.removeprefix("password=") for line in asked.stdout.splitlines() if line.startswith("password=")), "")


@pytest.mark.parametrize("repository", ["https://git.example.org/team/dermlab", "https://me@git.example.org/team/dermlab.git"])
def test_the_token_for_git_is_told_to_the_repositorys_own_host_alone(tmp_path, repository):
    machine = setup(tmp_path, repository)
    assert password(machine, repository) == "s3cret"
    assert password(machine, "https://git.example.org/team/another") == "s3cret"
    for other in (
        "https://example.org/a",
        "https://git.example.org.evil.net/a",
        "https://evil.net/git.example.org/a",
        "http://git.example.org/a",
    ):
        assert password(machine, other) == "", other


@pytest.mark.parametrize("repository", ["git@git.example.org:team/dermlab.git", "/mnt/dermlab"])
def test_a_repository_that_needs_no_token_leaves_it_untold(tmp_path, repository):
    machine = setup(tmp_path, repository)
    assert password(machine, "https://git.example.org/team/dermlab") == ""


def used(folder: Path) -> int:
    """Bytes on the disk, linked files once."""
    files = {path.stat().st_ino: path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}
    return sum(files.values())


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    photos = folder / "s3" / "photos" / "clinic"
    photos.mkdir(parents=True)
    clinic = simulate(PHOTOS, 17)
    objects = open_objects(f"phantom:{PHOTOS}:17")
    for key, (data, _) in zip(clinic.manifest["key"], objects.read_many(list(clinic.manifest["key"])), strict=True):
        path = photos / f"{Path(key).stem}.jpg"
        path.write_bytes(data)
        os.truncate(path, SIZE)
    names = clinic.manifest["key"].map(lambda key: f"{Path(key).stem}.jpg")
    pd.DataFrame({"image": names, "label": clinic.manifest["diagnosis"], "patient_id": clinic.manifest["patient_id"]}).to_csv(
        photos / "labels.csv", index=False
    )
    with serving(folder / "s3") as reached:
        client_of(reached).create_bucket(Bucket="dermlab")
        (folder / "team").mkdir()
        team = clone_of_working_tree(folder / "team", "s3://photos/clinic", "--min-class-count", "2", **reached)
        leave_out(team, ["report"])
        (team.folder / "recipes" / "small.yaml").write_text(RECIPE)
        team.commit("the team's photos and a small study")
        subprocess.run(["git", "clone", "-q", "--bare", team.folder, folder / "origin"], check=True)
        team.run("git", "remote", "add", "origin", str(folder / "origin"))
        team.run("dvc", "push", "data/source")
        told = {key: team.environment[key] for key in ("PATH", *(key for key in team.environment if key.startswith("GIT_")))}
        budget = {"DERMLAB_DISK_BUDGET_GB": str(BUDGET / 1e9), "DERMLAB_CHECKPOINT_MIRROR": "s3://dermlab/checkpoints"}
        told |= reached | budget | {"DERMLAB_WORKERS": "2", "OMP_NUM_THREADS": "1"}  # other tests use the cores, too
        yield World(team, folder / "origin", {**told, "DERMLAB_SOURCE": "s3://photos/clinic", "LANG": "C.UTF-8"})
    shutil.rmtree(folder)  # a gigabyte


def test_a_pod_that_is_gone_in_the_middle_is_gone_on_from_elsewhere_within_the_budget(world, tmp_path):
    assert PHOTOS * SIZE > BUDGET
    first = world.rent(tmp_path / "first")
    pod = world.start(first)
    wait_for(first, "baseline is pushed", pod)
    wait_for(first, "stages/train.py", pod)
    time.sleep(4)  # `focal` trains, or is about to
    pod.send_signal(signal.SIGTERM)
    assert pod.wait(120) == 128 + signal.SIGTERM, said(first)[-3000:]
    assert "pushing what is done" in said(first)
    assert used(first) < BUDGET
    shutil.rmtree(first.parent / "dermlab")  # the pod, its disk included

    second = world.rent(tmp_path / "second")
    pod = world.start(second)
    assert pod.wait(400) == 0, said(second)[-3000:]
    log = said(second)
    assert "pulled, as another machine ran them: baseline" in log
    assert "baseline: done before" in log
    for stage in ("catalog", "pull", "embed", "flag", "manifest"):
        assert f"Running stage '{stage}'" not in log, stage
    assert used(second) < BUDGET

    world.team.run("dvc", "exp", "pull", "origin", "baseline", "focal")
    compared = world.team.run("dermlab", "compare", "baseline", "focal").stdout
    assert "focal" in compared
    assert not any(word in log for word in ("AWS_SECRET", "secret"))


def test_a_budget_that_is_too_small_is_said_before_a_photo_is_fetched(world, tmp_path, monkeypatch):
    monkeypatch.setitem(world.environment, "DERMLAB_DISK_BUDGET_GB", "0.0005")
    clone = world.rent(tmp_path)
    pod = world.start(clone)
    assert pod.wait(120) == 1
    line = " ".join(said(clone).split())
    assert line.startswith("disk NO ")
    assert re.search(r"0\.5 MB free\. The originals, [\d.]+ [GM]B, would not fit and are not kept", line)
    assert "it fits with pull.image_size=" in line
    assert not (clone / "data" / "images.parquet").exists()
