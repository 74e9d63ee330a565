"""What a killed run leaves is put right, and what the user did himself is left alone."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import psutil
import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML

from dermlab.data.embeddings import EmbeddingInfo, Embeddings, write_embeddings
from dermlab.data.pin import PINNED_FILES
from dermlab.data.shards import shard_name
from dermlab.data.validation import Validation, write_validation
from dermlab.run.errors import DermlabError
from dermlab.run.git import git
from dermlab.study import workspace
from dermlab.study.dvc import ref_of
from dermlab.study.workspace import JOURNAL, alone, mend, remember

PARAMS = "loss: ce\n"


def killed_run():
    """As `dvc exp run` leaves it: HEAD detached, other params staged."""
    workspace = remember()
    git("checkout", "-q", "--detach")
    workspace.set_params("loss: focal\n")
    git("add", "params.yaml")
    return workspace


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


BLOCKS = "# of the team\nloss: ce\nseed: 17\ntrain:\n  lr: 0.1  # high\n  epochs: 5\nreport:\n  margin: 0.01\n"
OF_THE_STUDY = BLOCKS.replace("ce", "focal").replace("epochs: 5", "epochs: 9")


@pytest.mark.parametrize("where", ["as the study has set them", "as committed, DVC having the study's in its stash"])
@pytest.mark.parametrize("edit", [("seed: 17", "seed: 777"), ("lr: 0.1", "lr: 0.2"), ("margin: 0.01", "margin: 0.02"), ("# high", "# low"),
                                  ("loss: focal", "loss: gce"), ("loss: ce", "loss: gce")])  # fmt: skip
def test_an_edit_of_params_after_a_kill_is_kept_and_the_rest_put_back(repository, capsys, where, edit):
    before = BLOCKS.replace("epochs: 5", "epochs: 6")  # not committed, and the user's too
    Path("params.yaml").write_text(BLOCKS)
    git("commit", "-qam", "blocks")
    Path("params.yaml").write_text(before)
    remember().set_params(OF_THE_STUDY)
    left = (OF_THE_STUDY if where.startswith("as the study") else BLOCKS).replace(*edit)
    Path("params.yaml").write_text(left)
    mend()
    expected = before.replace(*edit) if edit[0] in left or edit[1] in left else before
    if edit[0] == "loss: focal" and edit[1] in left:
        expected = before.replace("loss: ce", edit[1])
    assert Path("params.yaml").read_text() == expected
    assert ("the edit is kept" in capsys.readouterr().out) == (expected != before)


@pytest.mark.parametrize("edit", [None, ("seed: 17", "seed: 777")])
def test_params_of_windows_line_ends_keep_them(repository, edit):
    committed = BLOCKS.replace("\n", "\r\n").encode()
    Path("params.yaml").write_bytes(committed)
    git("commit", "-qam", "blocks")
    workspace = remember()
    workspace.set_params(BLOCKS.replace("loss: ce", "loss: gce"))
    workspace.set_params(OF_THE_STUDY)
    assert Path("params.yaml").read_bytes() == OF_THE_STUDY.replace("\n", "\r\n").encode()
    if edit:
        Path("params.yaml").write_bytes(Path("params.yaml").read_bytes().decode().replace(*edit).encode())
    mend()
    assert Path("params.yaml").read_bytes() == (committed.decode().replace(*edit).encode() if edit else committed)
    assert git("status", "--porcelain") == (" M params.yaml" if edit else "")


def test_an_edit_while_a_study_runs_outlives_every_run_after_it(repository):
    Path("params.yaml").write_text(BLOCKS)
    git("commit", "-qam", "blocks")
    workspace = remember()
    workspace.set_params(OF_THE_STUDY)
    Path("params.yaml").write_text(OF_THE_STUDY.replace("seed: 17", "seed: 777"))
    workspace.set_params(BLOCKS.replace("loss: ce", "loss: gce"))
    assert Path("params.yaml").read_text() == BLOCKS.replace("loss: ce", "loss: gce"), "a run has the recipe's params alone"
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("# high", "# low"))
    mend()
    assert Path("params.yaml").read_text() == BLOCKS.replace("seed: 17", "seed: 777").replace("# high", "# low")


@pytest.mark.parametrize("length", [0, 9, 30])
def test_params_that_a_kill_has_cut_off_are_put_back(repository, length):
    remember().set_params(OF_THE_STUDY)
    Path("params.yaml").write_text(OF_THE_STUDY[:length])
    mend()
    assert Path("params.yaml").read_text() == PARAMS


def test_a_kill_between_note_and_writing_is_no_edit(repository):
    workspace = remember()
    workspace.set_params(OF_THE_STUDY)
    workspace.set_params(BLOCKS)
    Path("params.yaml").write_text(OF_THE_STUDY)
    mend()
    assert Path("params.yaml").read_text() == PARAMS


def test_an_edit_that_is_no_yaml_is_left_to_the_user(repository):
    remember().set_params(OF_THE_STUDY)
    Path("params.yaml").write_text("loss: [half\n")
    mend()
    assert Path("params.yaml").read_text() == "loss: [half\n"


def test_what_was_staged_is_staged_after_a_kill(repository):
    Path("new.py").write_text("new\n")
    Path("code.py").write_text("two\n")
    git("add", "new.py", "code.py")
    killed_run()
    mend()
    assert git("status", "--porcelain").splitlines() == ["M  code.py", "A  new.py"]


def test_files_of_the_user_in_folders_of_outs_are_in_no_way_of_dvc_and_come_back(repository):
    own = [Path("data/source/notes.txt"), Path("data/embeddings/mine/a.npy"), Path("data/shards/list.csv"), Path("data/validation/x")]
    written = [Path("data/source/source.json"), Path("data/embeddings/features.npy"), Path("data/shards/shard-00003.arrow")]
    for path in (*own, *written):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    remember()
    assert not any(path.exists() for path in own)
    assert all(path.exists() for path in written)
    mend()
    assert [path.read_text() for path in own] == [path.name for path in own]
    assert not any(Path(".dvc/tmp/own").rglob("*"))


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
    remember().started(orphan.pid)
    mend()
    assert not psutil.pid_exists(orphan.pid)


def test_a_process_elsewhere_that_has_the_number_of_a_dvc_long_dead_is_not_stopped(repository, tmp_path_factory):
    somebody = subprocess.Popen(["sleep", "600"], process_group=0, cwd=tmp_path_factory.mktemp("elsewhere"))
    remember().started(somebody.pid)
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


def test_what_was_set_aside_before_is_never_written_over(repository):
    note = Path("data/source/notes.txt")
    for text in ("first", "second", "third"):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(text)
        remember()
        note.write_text("made anew")
        mend()
    assert sorted(path.read_text() for path in Path(".dvc/tmp/kept/data/source").iterdir()) == ["first", "second", "third"]


def test_a_simulated_review_that_the_branch_holds_is_the_users(repository):
    own, of_a_study = Path("data/simulated/review-0.1.csv"), Path("data/simulated/review-0.2.csv")
    own.parent.mkdir(parents=True)
    own.write_text("own\n")
    git("add", "-A")
    git("commit", "-qm", "a new starting point")
    remember()
    of_a_study.write_text("of a study\n")
    git("add", str(of_a_study))
    mend()
    assert (own.read_text(), of_a_study.exists(), git("status", "--porcelain", "data")) == ("own\n", False, "")


def test_what_a_stage_writes_in_a_folder_is_nobodys_own(repository):
    """A name that this does not know would be taken away from DVC in every study."""
    write_embeddings(Embeddings(np.array(["a"]), np.zeros((1, 2), np.float16), EmbeddingInfo("lite0", 2, 64, "w")))
    write_validation(Validation(np.array(["a"]), np.zeros(1, np.int64), np.zeros((1, 2), np.float32), np.zeros((1, 2), np.float16)))
    for path in (
        Path("data/shards") / shard_name(3),
        Path("data/source/source.json"),
        *(Path("data/source") / name for name in PINNED_FILES),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    remember()
    assert not list(Path(".dvc/tmp/own").rglob("*"))
