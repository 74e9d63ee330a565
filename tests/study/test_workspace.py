"""What a killed run leaves is put right, and what the user did himself is left alone."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML

from dermlab.run.errors import DermlabError
from dermlab.run.git import git
from dermlab.study import workspace
from dermlab.study.dvc import ref_of
from dermlab.study.workspace import JOURNAL, alone, mend, remember, write_before

PARAMS = "loss: ce\n"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "tester")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tester")
    git("init", "-q", "-b", "main")
    Path("params.yaml").write_text(PARAMS)
    Path("code.py").write_text("one\n")
    git("add", "-A")
    git("commit", "-qm", "first")
    return tmp_path


def killed_run():
    """As `dvc exp run` leaves it: HEAD detached, other params staged."""
    remember()
    git("checkout", "-q", "--detach")
    Path("params.yaml").write_text("loss: focal\n")
    git("add", "params.yaml")


def test_after_a_kill_head_is_on_its_branch_and_params_are_what_they_were(repository):
    killed_run()
    mend()
    assert git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert Path("params.yaml").read_text() == PARAMS
    assert git("status", "--porcelain") == ""


def test_a_kill_after_the_experiment_was_committed_is_the_same(repository):
    killed_run()
    git("commit", "-qm", "dvc: commit experiment")
    mend()
    assert git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert git("status", "--porcelain") == ""


def test_params_that_were_not_committed_and_edited_code_are_kept(repository):
    Path("params.yaml").write_text("loss: mine\n")
    killed_run()
    Path("code.py").write_text("two\n")
    mend()
    assert Path("params.yaml").read_text() == "loss: mine\n"
    assert Path("code.py").read_text() == "two\n"


def test_a_commit_that_the_user_made_meanwhile_is_left_alone(repository):
    killed_run()
    git("switch", "-qc", "other")
    Path("params.yaml").write_text("loss: other\n")
    git("commit", "-qam", "mine")
    mend()
    assert git("symbolic-ref", "HEAD") == "refs/heads/other"
    assert Path("params.yaml").read_text() == "loss: other\n"


@pytest.mark.parametrize("stash", workspace.STASHES)
def test_what_lies_in_the_stash_of_dvc_alone_comes_back(repository, stash):
    """A kill between the moment when DVC stashes and the one when it applies the stash."""
    Path("code.py").write_text("hours of work\n")
    Path("new.py").write_text("new\n")
    git("stash", "-q", "--include-untracked")
    git("update-ref", stash, "refs/stash")
    git("stash", "drop", "-q")
    assert not Path("new.py").exists()
    killed_run()
    mend()
    assert Path("code.py").read_text() == "hours of work\n"
    assert Path("new.py").read_text() == "new\n"
    assert git("for-each-ref", "refs/exps") == ""


def test_what_was_edited_after_the_stash_is_not_overwritten(repository):
    Path("code.py").write_text("stashed\n")
    git("stash", "-q")
    git("update-ref", workspace.STASHES[1], "refs/stash")
    Path("code.py").write_text("newer\n")
    killed_run()
    mend()
    assert Path("code.py").read_text() == "newer\n"


def test_an_unfinished_experiment_goes_and_a_finished_one_stays(repository):
    remember()
    for name in ("focal", "focal-unfinished"):
        git("update-ref", ref_of(name), "HEAD")
    mend()
    assert git("for-each-ref", "--format=%(refname)", "refs/exps") == ref_of("focal")


@pytest.mark.parametrize("half", ["", '{"write": {"data'])
def test_a_half_written_rwlock_is_removed(repository, half):
    rwlock = repository / ".dvc" / "tmp" / "rwlock"
    rwlock.parent.mkdir(parents=True)
    rwlock.write_text(half)
    mend()
    assert not rwlock.exists()


def test_a_whole_rwlock_is_left_to_dvc(repository):
    rwlock = repository / ".dvc" / "tmp" / "rwlock"
    rwlock.parent.mkdir(parents=True)
    rwlock.write_text(json.dumps({"write": {}, "read": {}}))
    mend()
    assert rwlock.exists()


LOCK = """\
schema: '2.0'
stages:
  manifest:
    cmd: python stages/manifest.py
    deps:
    - path: data/catalog.parquet
      hash: md5
      md5: 0cc175b9c0f1b6a831c399e269772661
      size: 5151
    params:
      params.yaml:
        variant: baseline
        manifest:
          guard: on
    outs:
    - path: data/manifest.parquet
      hash: md5
      md5: 92eb5ffee6ae2fec3ad71c777531578f
      size: 17
"""


def lock_after_mending(repository: Path, text: str) -> str:
    (repository / "dvc.lock").write_text(text)
    mend()
    return (repository / "dvc.lock").read_text()


def test_a_dvc_lock_that_was_cut_off_anywhere_is_one_that_dvc_takes_with_no_value_cut_off(repository):
    committed = "schema: '2.0'\n"
    (repository / "dvc.lock").write_text(committed)
    git("add", "dvc.lock")
    git("commit", "-qm", "lock")
    lines = LOCK.splitlines(keepends=True)
    for length in range(len(LOCK)):
        mended = lock_after_mending(repository, LOCK[:length])
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(mended))
        assert mended == committed or mended in ("".join(lines[:count]) for count in range(len(lines)))
    assert lock_after_mending(repository, "\x00\x00\n") == committed
    assert lock_after_mending(repository, LOCK) == LOCK


def test_the_dvc_of_a_killed_study_is_stopped(repository):
    orphan = subprocess.Popen(["sleep", "600"], process_group=0)
    write_before(replace(remember(), group=orphan.pid))
    mend()
    assert not psutil.pid_exists(orphan.pid)


def test_a_process_elsewhere_that_has_the_number_of_a_dvc_long_dead_is_not_stopped(repository, tmp_path_factory):
    somebody = subprocess.Popen(["sleep", "600"], process_group=0, cwd=tmp_path_factory.mktemp("elsewhere"))
    write_before(replace(remember(), group=somebody.pid))
    mend()
    assert somebody.poll() is None
    somebody.kill()
    somebody.wait()


def test_a_simulated_review_is_gone_and_the_ledger_untouched(repository):
    remember()
    ledger = Path("data/relabels.csv")
    for path in (Path("data/simulated/review-0.05.csv"), ledger):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("image_id\n")
    git("add", "-f", "data/simulated/review-0.05.csv")
    mend()
    assert not Path("data/simulated").exists()
    assert ledger.exists()
    assert "simulated" not in git("status", "--porcelain")


def test_mending_twice_is_mending_once(repository):
    killed_run()
    mend()
    Path("params.yaml").write_text("loss: later\n")
    mend()
    assert Path("params.yaml").read_text() == "loss: later\n"
    assert not JOURNAL.exists()


def test_one_study_at_a_time(repository):
    with alone(), pytest.raises(DermlabError, match=f"Another study runs in this workspace \\(process {os.getpid()}\\)"), alone():
        pass
    with alone():
        pass
