"""Every stage on a disk that fills while it writes: what stood there stands, the error says so, and with room the next run ends the same.
Needs the right to mount a small file system in memory, which a container may not have."""

import subprocess
from pathlib import Path

import pytest
from clones import Clone, clone_of_working_tree
from ruamel.yaml import YAML

# Of those that write far more than DVC writes of its own; pull reckons before the first byte.
SAID = {"pull": "Nothing was fetched. It would fit", "train": "No space left while writing"}
ROOM = "900m"
LEAST = 96 * 1024  # bytes left, so that DVC gets as far as the stage


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:  # without that right nothing here can run; tests/data/test_files.py fills /dev/full everywhere
        said = mounted.stderr.decode()
        assert "permission denied" in said or "superuser" in said, said
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def clone(disk) -> Clone:
    (disk / "clone").mkdir()
    clone = clone_of_working_tree(disk / "clone")
    clone.run("dvc", "repro")
    clone.undisturbed = lock_of(clone)
    return clone


def lock_of(clone: Clone) -> dict[str, list[dict]]:
    lock = YAML(typ="safe").load((clone.folder / "dvc.lock").read_text())
    return {stage: entry["outs"] for stage, entry in lock["stages"].items()}


def leave(disk: Path, size: int | str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


@pytest.mark.parametrize("stage", ["catalog", "pull", "embed", "flag", "manifest", "train", "evaluate", "report"])
def test_a_stage_on_a_full_disk_changes_nothing_and_ends_the_same_with_room(disk, clone, stage):
    blocks = subprocess.run(["df", "-B1", "--output=used", disk], capture_output=True, text=True, check=True).stdout.split()[-1]
    needed = sum(out["size"] for out in clone.undisturbed[stage])
    leave(disk, int(blocks) + max(LEAST, needed // 3))
    failed = clone.run("dvc", "repro", "--force", "--single-item", stage, ok=False)
    leave(disk, ROOM)
    half_written = list((clone.folder / "data").glob(".*.*/*"))
    clone.run("dvc", "repro")
    assert lock_of(clone) == clone.undisturbed
    assert not half_written
    if stage in SAID:
        assert failed.returncode
        assert SAID[stage] in " ".join(failed.stderr.split())
