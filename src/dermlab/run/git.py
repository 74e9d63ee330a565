"""git as every part of dermlab calls it: in a process of its own, which an interrupt ends too."""

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import current_thread, main_thread

from dermlab.run.errors import DermlabError

OF_SOMEBODY_ELSE = "dubious ownership"


def git(*arguments: str, check: bool = True) -> str:
    """What git prints, without the last line break. Raises DermlabError, whatever `check` says where git trusts no answer of this clone."""
    done = captured(("git", *arguments))
    _check_is_trusted(done.stderr)
    if check and done.returncode:
        raise DermlabError(f"`git {' '.join(arguments)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.removesuffix("\n") if not done.returncode else ""


def objects(names: Sequence[str], repo: Path | str = ".") -> dict[str, str]:
    """`COMMIT:PATH` (`:PATH`, as it is staged), in the repository that `repo` lies in -> its text; what is not there is left out."""
    return {name: content.decode("utf-8", "replace") for name, content in blobs(names, repo).items()}


def blobs(names: Sequence[str], repo: Path | str = ".") -> dict[str, bytes]:
    """As `objects`, the bytes. One process for all of them."""
    if not names:
        return {}
    done = subprocess.run(
        ("git", "-C", str(repo), "cat-file", "--batch"), input="\n".join(names).encode(), capture_output=True, check=False
    )
    _check_is_trusted(done.stderr.decode("utf-8", "replace"))
    found, rest = {}, done.stdout
    for name in names:
        head, _, rest = rest.partition(b"\n")
        if head.endswith((b" missing", b" ambiguous")) or not head:
            continue
        size = int(head.rsplit(b" ", 1)[1])
        found[name], rest = rest[:size], rest[size + 1 :]
    return found


def _check_is_trusted(errors: str) -> None:
    """git answers nothing in a clone of another user's, as a volume in a container is; its own words name the command that helps."""
    if OF_SOMEBODY_ELSE in errors:
        raise DermlabError(f"git takes this clone for another user's: {' '.join(errors.split())}. Then run this again.")


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


def captured(command: Sequence[str]) -> subprocess.CompletedProcess:
    """`subprocess.run`, but that an interrupt while the process starts ends it too."""
    process = None
    try:
        with uninterrupted():
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="surrogateescape")
        said, errors = process.communicate()
    except BaseException:
        if process:
            process.kill()
            process.wait()
        raise
    return subprocess.CompletedProcess(command, process.returncode, said, errors)
