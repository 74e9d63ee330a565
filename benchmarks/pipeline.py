"""A clone of HEAD in which a real `dvc` runs, and where its seconds go: each stage's process, and DVC besides."""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness import seconds

ROOT = Path(__file__).parents[1]
IDENTITY = {f"GIT_{who}_{what}": "benchmark" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
ENVIRONMENT = {**os.environ, **IDENTITY, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
SMALL = {
    "  image_size: 160": "  image_size: 64", "  image_size: 128": "  image_size: 64", "  repeats: 3": "  repeats: 1",
    "  l2: auto": "  l2: 300.0", "  finetune_epochs: 2": "  finetune_epochs: 1", "  bootstrap: 10000": "  bootstrap: 200",
}  # fmt: skip
DVC = "DVC besides"
# DVC runs `python stages/NAME.py`. This python stands before the real one on the PATH and notes how long that took.
NOTING = """#!/bin/sh
started=$(date +%s.%N)
{python} "$@"
code=$?
echo "$1 $started $(date +%s.%N)" >> {log}
exit $code
"""


def run(folder: Path, *command: str, environment: Mapping[str, str] = ENVIRONMENT) -> None:
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


def clone_of_head(folder: Path, quick: bool) -> Path:
    """With an empty cache, and no source locked yet. `quick`: small images and few fits."""
    run(ROOT, "git", "clone", "-q", str(ROOT), str(folder))
    if quick:
        for old, new in SMALL.items():
            replace(folder / "params.yaml", old, new)
        run(folder, "git", "commit", "-qam", "small")
    return folder


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, (path.name, old)
    path.write_text(text.replace(old, new, 1))


def timed(folder: Path, *command: str) -> dict[str, float]:
    """Seconds of the process of each stage that the command runs, in their order, and under `DVC` those that are left: its start, what
    it compares, hashes, links and commits. Together what the command took."""
    with tempfile.TemporaryDirectory() as scratch:
        log, python = Path(scratch) / "log", Path(scratch) / "python"
        log.touch()
        python.write_text(NOTING.format(python=shlex.quote(sys.executable), log=shlex.quote(str(log))))
        python.chmod(0o755)
        environment = {**ENVIRONMENT, "PATH": f"{scratch}{os.pathsep}{ENVIRONMENT['PATH']}"}
        whole = seconds(lambda: run(folder, *command, environment=environment))
        noted = [line.split() for line in log.read_text().splitlines()]
    took = {Path(script).stem: float(ended) - float(started) for script, started, ended in noted}
    return took | {DVC: whole - sum(took.values())}


def rounded(took: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in took.items()}


def show(columns: Mapping[str, Mapping[str, float]]) -> None:
    """Prints a row a stage. `columns`: what `timed` returned, by a name; the first ran every stage."""
    stages = [*next(iter(columns.values()))]
    widths = {name: max(len(name), 6) for name in columns}
    print(f"{'seconds':12}" + "".join(f"  {name:>{width}}" for name, width in widths.items()))
    for stage in stages:
        cells = [f"{took[stage]:.2f}" if stage in took else "-" for took in columns.values()]
        print(f"{stage:12}" + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths.values(), strict=True)))
    print(f"{'all':12}" + "".join(f"  {sum(took.values()):>{widths[name]}.2f}" for name, took in columns.items()))
