"""dvc as a study calls it: in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from dermlab.run.errors import DermlabError
from dermlab.run.git import captured, git, uninterrupted

DVC = (sys.executable, "-m", "dermlab.study.quiet_dvc")
GRACE = 20  # seconds


def dvc(*arguments: str, started: Callable[[int], None] = lambda process: None) -> None:
    """Runs dvc in a process group of its own: a signal to dvc alone would orphan the stage that it runs. Whatever stops us becomes
    an interrupt of the group, on which dvc puts HEAD back that an experiment detaches. `started` is told the group, and 0 when
    it has ended well. Raises DermlabError."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    process = None
    try:
        with uninterrupted():
            process = subprocess.Popen([*DVC, *arguments], env=environment, process_group=0)
        started(process.pid)
        returned = process.wait()
    except BaseException:
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL) if process else ():
            os.killpg(process.pid, how)
            try:
                process.wait(GRACE)
                break
            except subprocess.TimeoutExpired:
                continue
        raise
    if returned == 0:
        started(0)
    else:
        raise DermlabError(
            f"`dvc {' '.join(arguments)}` failed (exit {returned}); what it said stands above. Experiments that had finished "
            "are kept: mend the cause and run the study again, it goes on from there."
        )


def dvc_output(*arguments: str) -> str:
    """What dvc prints; empty where it fails, as where a revision has no metrics."""
    done = captured((*DVC, *arguments))
    return "" if done.returncode else done.stdout


def ref_of(name: str) -> str:
    """Of an experiment that starts from HEAD, as DVC names it."""
    head = git("rev-parse", "HEAD")
    return f"refs/exps/{head[:2]}/{head[2:]}/{name}"


def experiments() -> list[str]:
    """Names of the experiments that start from HEAD: `baseline` first, where there is one, and then as they were made."""
    prefix = ref_of("")
    made = git("for-each-ref", "--format=%(refname)", "--sort=committerdate", prefix).split()
    return sorted((ref.removeprefix(prefix) for ref in made), key=lambda name: name != "baseline")
