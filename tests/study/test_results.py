"""`dermlab apply` and `dermlab reset` touch params and results, and lose nobody's work."""

from pathlib import Path

import pytest

from dermlab.run.errors import DermlabError
from dermlab.run.git import git
from dermlab.study import results
from dermlab.study.dvc import ref_of
from dermlab.study.results import apply, reset

LOCK = "schema: '2.0'\nstages: {}\n"


@pytest.fixture
def asked(repository, monkeypatch):
    """Beside what is committed an experiment `focal` of other params, results and code, and a branch of its name; what dvc was asked to
    do."""
    Path(".gitignore").write_text(".dvc/\n")
    write("loss: ce\n", LOCK, "one\n")
    git("add", "-A")
    git("commit", "-qm", "results")
    write("loss: focal\n", LOCK + "# focal\n", "other\n")
    git("checkout", "-q", "--detach")
    git("commit", "-qam", "dvc: commit experiment")
    made = git("rev-parse", "HEAD")
    git("checkout", "-q", "main")
    git("update-ref", ref_of("focal"), made)
    git("branch", "focal")
    asked = []
    monkeypatch.setattr(results, "dvc", lambda *arguments: asked.append(arguments))
    return asked


def write(params: str, lock: str, code: str) -> None:
    for path, text in (("params.yaml", params), ("dvc.lock", lock), ("code.py", code)):
        Path(path).write_text(text)


def texts() -> list[str]:
    return [Path(path).read_text() for path in ("params.yaml", "dvc.lock", "code.py")]


def test_apply_brings_params_and_results_and_leaves_every_other_file(asked):
    Path("code.py").write_text("mine\n")
    Path("new.py").write_text("new\n")
    apply("focal")
    assert texts() == ["loss: focal\n", LOCK + "# focal\n", "mine\n"], "of the experiment, though a branch has its name"
    assert Path("new.py").read_text() == "new\n"
    assert [arguments[0] for arguments in asked] == ["checkout"]
    apply("main")  # what stands there is an experiment's, and can be had again
    assert texts() == ["loss: ce\n", LOCK, "mine\n"]


@pytest.mark.parametrize(
    ("path", "text", "helps"),
    [
        ("params.yaml", "loss: mine\n", "loss=mine, not ce.*git stash push params.yaml"),
        ("dvc.lock", LOCK + "# of dvc repro\n", "dvc exp save"),
    ],
)
def test_apply_refuses_where_an_edit_would_be_lost(asked, path, text, helps):
    Path(path).write_text(text)
    with pytest.raises(DermlabError, match=f"{path} is not as committed.*{helps}"):
        apply("focal")
    assert Path(path).read_text() == text
    assert not asked


def test_apply_of_what_is_not_there_or_holds_no_results_changes_nothing(asked):
    before = texts()
    with pytest.raises(DermlabError, match="no experiment or revision 'nothing'"):
        apply("nothing")
    git("rm", "-q", "--cached", "dvc.lock")
    git("commit", "-qm", "no lock")
    git("branch", "empty")
    git("reset", "-q", "--hard", "HEAD^")
    with pytest.raises(DermlabError, match="holds no results"):
        apply("empty")
    assert texts() == before


def test_params_committed_with_windows_line_ends_are_no_edit(asked, capsys):
    Path("params.yaml").write_bytes(b"loss: ce\r\n")
    git("commit", "-qam", "line ends")
    apply("focal")
    assert texts()[0] == "loss: focal\n"
    apply("main")
    assert Path("params.yaml").read_bytes() == b"loss: ce\r\n"
    assert git("diff", "--name-only", "HEAD") == ""
    reset()
    assert "params.yaml had" not in capsys.readouterr().out


def test_reset_says_what_it_undoes_and_keeps_what_nobody_else_has(asked, capsys):
    Path("params.yaml").write_text("loss: mine  # asked for\n")
    reset()
    assert "params.yaml had loss=mine, not ce; as it was it lies in .dvc/tmp/params-before-reset.yaml" in capsys.readouterr().out
    assert Path(".dvc/tmp/params-before-reset.yaml").read_text() == "loss: mine  # asked for\n"
    Path("params.yaml").write_text("loss: focal\n")  # an experiment's
    reset()
    assert "params.yaml had" not in capsys.readouterr().out


def test_reset_puts_back_params_and_results_and_leaves_the_files_of_the_user(asked):
    note = Path("data/source/notes.txt")
    note.parent.mkdir(parents=True)
    note.write_text("mine")
    write("loss: x\n", "schema: '2.0'\n", "mine\n")
    reset()
    assert texts() == ["loss: ce\n", LOCK, "mine\n"]
    assert note.read_text() == "mine"
