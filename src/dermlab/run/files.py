"""Files that are whole or absent: every out is written beside its place and moved there in one step.

DVC may hardlink an out to its cache, and as root even a read-only cache file is writable, so an out is never
opened for writing in place.
"""

import errno
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from dermlab.run.errors import BudgetError, DermlabError

YOUNG = 60  # seconds
DIGITS = 12  # of a SHA-256, where it names a file
NOTHING = 2**20  # bytes free: a disk that is full, but for what was given back on the way out
NO_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.ENAMETOOLONG)


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yields a temporary sibling of `path`, a file or a folder to fill; moved to `path` only if the block succeeds.

    Raises BudgetError where the disk is full; whatever stood at `path` before is then still there. Raises DermlabError where no such file
    can be: in a folder that may not be written to, or below what is a file.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        if error.errno not in NO_PLACE:
            raise
        raise DermlabError(
            f"{path} cannot be written ({error.strerror}: {error.filename}). Nothing was changed. Name a folder that can be written to."
        ) from error
    unfinished = scratch / path.name
    try:
        with alone_in(scratch):  # by which others see that it is in use
            yield unfinished
            _move_into_place(unfinished, path, scratch / "replaced")
    except Exception as error:
        if is_of_a_full_disk(error, path.parent):
            free = shutil.disk_usage(path.parent).free
            raise BudgetError(
                f"No space left while writing {path} ({free / 1e6:.0f} MB free there). Nothing was changed. "
                "Free some space and run again. (`dvc gc --workspace` would also drop the results of every experiment but this one.)"
            ) from error
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def is_of_a_full_disk(error: Exception, folder: Path) -> bool:
    """Also where a library says it in its own way: safetensors in words, torch by a position in the file that it did not expect."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return "No space left" in str(error) or (isinstance(error, RuntimeError) and shutil.disk_usage(folder).free < NOTHING)


def _remove_abandoned(path: Path) -> None:
    """What killed processes left beside `path`, which may be as large as it. A young one may be just made and not yet locked."""
    with os.scandir(path.parent) as siblings:
        found = [entry for entry in siblings if entry.name.startswith(f".{path.name}.") and entry.is_dir(follow_symlinks=False)]
    for entry in found:
        if re.fullmatch(r"[a-z0-9_]{8}", entry.name.removeprefix(f".{path.name}.")) and time.time() - entry.stat().st_mtime > YOUNG:
            try:
                with alone_in(Path(entry.path), wait=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
            except OSError:  # in use, or another one removes it
                continue


def _move_into_place(unfinished: Path, path: Path, replaced: Path) -> None:
    """A folder cannot be renamed over another: the old one steps aside, and comes back where the new one cannot take its place."""
    if not path.is_dir() or path.is_symlink():
        os.replace(unfinished, path)
        return
    path.rename(replaced)
    try:
        os.replace(unfinished, path)
    except BaseException:
        replaced.rename(path)
        raise


@contextmanager
def alone_in(folder: Path, wait: bool = True) -> Iterator[None]:
    """One process at a time in a folder that exists: another waits, or without `wait` gets an OSError. The kernel gives the lock back
    however a process ends. Where the file system locks no folder (NFS), whoever would wait goes on unlocked."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if not wait:
                raise
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)  # also for children that inherited it
        os.close(handle)


def write_text(path: Path | str, text: str) -> None:
    with atomic_path(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def write_together(texts: Mapping[Path, str]) -> None:
    """Files that belong together, in their order: each lies whole beside its place before the first takes it, so that a full disk leaves
    all as they were. One that holds its text already is left alone, also by the clock."""
    changed = {path: text.encode() for path, text in texts.items() if not path.exists() or path.read_bytes() != text.encode()}
    with ExitStack() as stack:
        for path in reversed(changed):  # which the stack ends in the other order
            stack.enter_context(atomic_path(path)).write_bytes(changed[path])


def sha256_file(path: Path | str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def named_by_content(path: Path | str) -> str:
    """`PATH@DIGEST`: for a param that names a file which DVC does not watch."""
    return f"{path}@{sha256_file(path)[:DIGITS]}"
