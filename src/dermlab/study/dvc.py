"""dvc and git as a study calls them: in processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import current_thread, main_thread

from dermlab.run.errors import DermlabError

DVC = (sys.executable, "-m", "dermlab.study.quiet_dvc")
GRACE = 20  # seconds


def git(*arguments: str, check: bool = True) -> str:
    """What git prints, without the last line break. Raises DermlabError."""
    done = _captured(("git", *arguments))
    if check and done.returncode:
        raise DermlabError(f"`git {' '.join(arguments)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.removesuffix("\n") if not done.returncode else ""


@contextmanager
def uninterrupted() -> Iterator[None]:
    """An interrupt that comes while the block runs is raised at its end: between the start of a process and the name that holds it, it
    would leave a process that nobody ends."""
    came: list[int] = []
    in_main = current_thread() is main_thread()  # no other thread is interrupted, or may ask not to be
    handlers = {each: handler for each in (signal.SIGINT, signal.SIGTERM) if in_main and callable(handler := signal.getsignal(each))}
    for each in handlers:
        signal.signal(each, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
    if came:
        signal.raise_signal(came[0])


def dvc(*arguments: str, started: Callable[[int], None] = lambda process: None) -> None:
    """Runs dvc in a process group of its own: a signal to dvc alone would orphan the stage that it runs. Whatever stops us becomes
    an interrupt of the group, on which dvc puts HEAD back that an experiment detaches. `started` is told the group. Raises DermlabError."""
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
    if returned:
        raise DermlabError(
            f"`dvc {' '.join(arguments)}` failed (exit {returned}); what it said stands above. Experiments that had finished "
            "are kept: mend the cause and run the study again, it goes on from there."
        )


def dvc_output(*arguments: str) -> str:
    """What dvc prints; empty where it fails, as where a revision has no metrics."""
    done = _captured((*DVC, *arguments))
    return "" if done.returncode else done.stdout


def _captured(command: Sequence[str]) -> subprocess.CompletedProcess:
    """`subprocess.run`, but that an interrupt while the process starts ends it too."""
    process = None
    try:
        with uninterrupted():
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said, errors = process.communicate()
    except BaseException:
        if process:
            process.kill()
            process.wait()
        raise
    return subprocess.CompletedProcess(command, process.returncode, said, errors)


def ref_of(name: str) -> str:
    """Of an experiment that starts from HEAD, as DVC names it."""
    head = git("rev-parse", "HEAD")
    return f"refs/exps/{head[:2]}/{head[2:]}/{name}"


def experiments() -> set[str]:
    """Names of the experiments that start from HEAD."""
    prefix = ref_of("")
    return {ref.removeprefix(prefix) for ref in git("for-each-ref", "--format=%(refname)", prefix).split()}
