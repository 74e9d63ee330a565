"""dvc and git as a study calls them: in processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from dermlab.run.errors import DermlabError

DVC = (sys.executable, "-m", "dermlab.study.quiet_dvc")
GRACE = 20  # seconds


def git(*arguments: str, check: bool = True) -> str:
    """What git prints, without the last line break. Raises DermlabError."""
    done = subprocess.run(("git", *arguments), capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise DermlabError(f"`git {' '.join(arguments)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.removesuffix("\n") if not done.returncode else ""


def dvc(*arguments: str, started: Callable[[int], None] = lambda process: None) -> None:
    """Runs dvc in a process group of its own: a signal to dvc alone would orphan the stage that it runs. Whatever stops us becomes
    an interrupt of the group, on which dvc puts HEAD back that an experiment detaches. `started` is told the group. Raises DermlabError."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    process = subprocess.Popen([*DVC, *arguments], env=environment, process_group=0)
    try:
        started(process.pid)
        returned = process.wait()
    except BaseException:
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            os.killpg(process.pid, how)
            try:
                process.wait(GRACE)
                break
            except subprocess.TimeoutExpired:
                continue
        raise
    if returned:
        raise DermlabError(
            f"`dvc {' '.join(arguments)}` failed (exit {returned}); what it said stands above. Experiments that had finished "
            "are kept: mend the cause and run the study again, it goes on from there."
        )


def dvc_output(*arguments: str) -> str:
    """What dvc prints; empty where it fails, as where a revision has no metrics."""
    done = subprocess.run((*DVC, *arguments), capture_output=True, text=True, check=False)
    return "" if done.returncode else done.stdout


def ref_of(name: str) -> str:
    """Of an experiment that starts from HEAD, as DVC names it."""
    head = git("rev-parse", "HEAD")
    return f"refs/exps/{head[:2]}/{head[2:]}/{name}"


def experiments() -> set[str]:
    """Names of the experiments that start from HEAD."""
    prefix = ref_of("")
    return {ref.removeprefix(prefix) for ref in git("for-each-ref", "--format=%(refname)", prefix).split()}
