"""`python -m dermlab.study.slot FOLDER EXPERIMENT`, in the workspace: opens a slot and runs a study of one experiment there, given as JSON.
It ends when whoever started it does, however that ends: until then standard input stays open."""

import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

from dermlab.run import paths
from dermlab.run.command import run_command
from dermlab.run.git import git
from dermlab.study.dvc import dvc, dvc_output
from dermlab.study.recipe import Experiment
from dermlab.study.run import run_study
from dermlab.study.workspace import RESULTS

LINKS = "reflink,hardlink,symlink"  # never a copy: each slot has every out


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as a study does: what opens the slot ends as what trains in it
    threading.Thread(target=_end_with_the_starter, daemon=True).start()
    slot = Path(sys.argv[1]).resolve()
    _open_slot(slot)
    os.chdir(slot)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(slot / "src"), os.environ.get("PYTHONPATH")]))
    run_study([Experiment(**json.loads(sys.argv[2]))])


def _end_with_the_starter() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _open_slot(slot: Path) -> None:
    """A clone of HEAD with what is not committed here, but for params and results."""
    git("clone", "--quiet", "--shared", "--no-checkout", ".", str(slot))
    git("-C", str(slot), "checkout", "--quiet", "-B", "study", git("rev-parse", "HEAD"))
    for key in ("user.name", "user.email"):
        if value := git("config", key, check=False):
            git("-C", str(slot), "config", key, value)
    changed = git("diff", "HEAD", "--name-only", "--no-renames", "-z").split("\0")
    new = git("ls-files", "--others", "--exclude-standard", "-z").split("\0")
    for path in filter(None, changed + new):
        if path not in RESULTS:
            _copy(Path(path), slot / path)
    for ignored in (paths.LOCATION, paths.KEYS, paths.OUT_OF_FOLD):
        _copy(ignored, slot / ignored)
    for shared in (paths.CHECKPOINTS, paths.TRAIN_LOG):
        (slot / shared).symlink_to(shared.resolve())
    paths.CHECKPOINTS.mkdir(exist_ok=True)
    with (slot / ".git" / "info" / "exclude").open("a") as excluded:
        excluded.write(f"/{paths.CHECKPOINTS}\n")  # .gitignore has it as a folder, which a link is not
    _share_cache(slot)


def _share_cache(slot: Path) -> None:
    from dvc.config import Config

    with Config(str(slot / ".dvc")).edit("local") as local:  # as `dvc config --local` does, which would start twice
        local["cache"] = {"dir": dvc_output("cache", "dir").strip(), "type": LINKS}
    dvc("--cd", str(slot), "checkout", "--quiet", f"{paths.SOURCE}.dvc")


def _copy(here: Path, there: Path) -> None:
    if not here.exists():
        there.unlink(missing_ok=True)
        return
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(here, there)


if __name__ == "__main__":
    run_command(main)
