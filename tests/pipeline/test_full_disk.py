"""Every stage on a disk without a byte left: it says so, what stood there stands, and with room the next run ends the same. Needs the right
to mount a small file system in memory, which a container may not have."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from clones import Clone, copy_of
from ruamel.yaml import YAML

STAGES = ("catalog", "pull", "train")
MORE = ("embed", "flag", "manifest", "calibrate", "evaluate", "report")  # by `make soak`; each writes as `catalog` or `train` does
SAID = {"pull": "Nothing was fetched. It would fit"}  # it reckons before the first byte; the others write
RESUMING = ("pull", "train")
LIVE = "metrics/train"  # curves, which `dvc exp show` reads while training runs: they begin anew with it
ROOM = "900m"


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:  # without that right nothing here can run; tests/run/test_files.py fills /dev/full everywhere
        said = mounted.stderr.decode()
        assert "permission denied" in said or "superuser" in said, said
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def clone(disk, finished_clinic) -> Clone:
    clone = copy_of(finished_clinic, disk / "clone")
    clone.undisturbed = outs_of(clone)
    return clone


def outs_of(clone: Clone) -> dict[str, list[dict]]:
    lock = YAML(typ="safe").load((clone.folder / "dvc.lock").read_text())
    return {stage: entry["outs"] for stage, entry in lock["stages"].items()}


def changed_outs(clone: Clone) -> set[str]:
    """Outs that are files and not what dvc.lock says; `dvc status` looks at folders, below."""
    outs = [out for stage in clone.undisturbed.values() for out in stage]
    files = {out["path"]: out["md5"] for out in outs if not out["md5"].endswith(".dir")}
    return {name for name, md5 in files.items() if hashlib.md5((clone.folder / name).read_bytes()).hexdigest() != md5}


def leave(disk: Path, size: int | str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


@pytest.mark.parametrize("stage", STAGES + MORE if "DERMLAB_KILLS" in os.environ else STAGES)
def test_a_stage_on_a_full_disk_says_so_and_changes_nothing(disk, clone, stage):
    used = subprocess.run(["df", "-B1", "--output=used", disk], capture_output=True, text=True, check=True).stdout.split()[-1]
    leave(disk, int(used))
    try:
        failed = clone.run("python", f"stages/{stage}.py", ok=False)
    finally:
        leave(disk, ROOM)
    assert failed.returncode == 1
    assert SAID.get(stage, "No space left") in " ".join(failed.stderr.split())
    assert "Traceback" not in failed.stderr
    assert changed_outs(clone) == set()
    assert not list((clone.folder / "data").glob(".*.*/*"))


@pytest.mark.skipif("DERMLAB_KILLS" not in os.environ, reason="`make soak`; that those which were killed go on, test_kills.py shows")
def test_with_room_again_they_end_the_same(clone):
    """Also where a part or a checkpoint was left in the middle. Folders, too: with nothing left to do, nothing is to be restored."""
    clone.run("dvc", "checkout", "--force", "--quiet", LIVE)
    assert clone.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."
    clone.run("dvc", "repro", "--force", "--single-item", *RESUMING)
    assert outs_of(clone) == clone.undisturbed
