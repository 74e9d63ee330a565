"""What a kill leaves half written is whole again: data/source as a real DVC would lose it, and locks of git's."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dermlab.data.pin import PINNED_FILES
from dermlab.run.git import git
from dermlab.study.half_written import SOURCE
from dermlab.study.workspace import mend, remember

FOLDER = Path("data/source")
NOTES = FOLDER / "notes.txt"


def dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments, "-q"], check=True)


@pytest.fixture
def source(repository) -> Path:
    """A repository with a source that DVC keeps, whose text is committed."""
    FOLDER.mkdir(parents=True)
    for name in (*PINNED_FILES, "source.json"):
        (FOLDER / name).write_text(name)
    dvc("init")
    dvc("add", str(FOLDER))
    git("add", "-A")
    git("commit", "-qm", "lock")
    return repository


def half_written(text: str) -> None:
    SOURCE.write_text(text)


def half_removed() -> None:
    """And DVC takes what is left for the source."""
    (FOLDER / PINNED_FILES[0]).unlink()
    dvc("commit", "--force", str(SOURCE))


def removed() -> None:
    for path in FOLDER.iterdir():
        path.unlink()
    FOLDER.rmdir()
    half_written("{}\n")


@pytest.mark.parametrize("how", [lambda: half_written(""), lambda: half_written("outs:\n- md5: 2e79f"), half_removed, removed])
def test_a_source_that_a_kill_left_half_there_is_whole_again(source, how):
    before = SOURCE.read_text()
    NOTES.write_text("mine")
    remember()
    how()
    mend()
    assert SOURCE.read_text() == before
    assert {path.name for path in FOLDER.iterdir()} == {*PINNED_FILES, "source.json", "notes.txt"}
    assert all((FOLDER / name).read_text() == name for name in PINNED_FILES)


SITE = "from dvc.repo import Repo; print(Repo('.').site_cache_dir, end='')"
KILLED = """\
import os
from dvc.repo import Repo
from dvc_data.index import DataIndex

seen = []
write = DataIndex.__setitem__

def until(index, key, entry):
    seen.append(key)
    if len(seen) > 3:
        os._exit(9)
    write(index, key, entry)

DataIndex.__setitem__ = until
Repo(".").index.data
"""


@pytest.mark.parametrize("is_reset", [False, True], ids=["study", "reset"])
def test_what_dvc_keeps_is_found_after_a_kill_while_it_listed_it(source, is_reset):
    """Else it takes the half of its index for the whole, and removes what is not in there."""
    Path("dvc.yaml").write_text("stages:\n  made: {cmd: echo 1 > x; echo 2 > y, outs: [x, y]}\n")
    shutil.rmtree(Path(subprocess.check_output([sys.executable, "-c", SITE], text=True)) / "index", ignore_errors=True)
    remember().started(0 if is_reset else 2**22 - 1)  # the number of a dvc that is no more
    assert subprocess.run([sys.executable, "-c", KILLED], check=False).returncode == 9
    mend(is_reset)
    dvc("checkout", "--force", "--allow-missing")
    assert {path.name for path in FOLDER.iterdir()} == {*PINNED_FILES, "source.json"}


def test_reset_mends_the_source_after_a_dvc_of_ones_own_too(source):
    half_written("")
    mend(is_reset=True)
    assert "outs" in SOURCE.read_text()


def test_a_source_that_was_locked_anew_meanwhile_is_kept(source):
    remember()
    (FOLDER / PINNED_FILES[0]).unlink()
    (FOLDER / PINNED_FILES[0]).write_text("another")
    dvc("add", str(FOLDER))
    locked = SOURCE.read_text()
    mend()
    assert SOURCE.read_text() == locked
    assert (FOLDER / PINNED_FILES[0]).read_text() == "another"


def test_one_that_cannot_come_back_is_said(source, capsys):
    remember()
    removed()
    subprocess.run(["rm", "-rf", ".dvc/cache"], check=True)
    mend()
    assert "lock it again" in capsys.readouterr().out


def test_locks_of_git_that_a_killed_dvc_left_are_removed(repository, capsys):
    left = [Path(".git/refs/exps/stash.lock"), Path(".git/index.lock")]
    remember()
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    mend()
    assert not any(path.exists() for path in left)
    assert "refs/exps/stash.lock" in capsys.readouterr().out


def test_a_lock_of_a_git_that_works_here_is_left_to_it(repository):
    remember()
    lock = Path(".git/refs/heads/other.lock")
    working = subprocess.Popen(["git", "cat-file", "--batch"], stdin=subprocess.PIPE)
    try:
        lock.touch()
        mend()
        assert lock.exists()
    finally:
        working.communicate()
