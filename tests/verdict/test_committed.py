"""Results that git holds beside params or code they were not made with: said by `dermlab check`, refused by the hook."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from defaults import DEFAULTS
from one_stage import DVC, start_repository
from typer.testing import CliRunner

from dermlab.cli import app
from dermlab.run.errors import ContractError, DermlabError, ParamsError
from dermlab.run.git import git
from dermlab.verdict.committed import look, staged_params

ROOT = Path(__file__).parents[2]
MAKE = """
from pathlib import Path
for name in ("predictions", "catalog", "images", "manifest", "flags"):
    Path(f"data/{name}.parquet").write_text(Path("params.yaml").read_text())
"""
FOCAL, CE = "loss: focal", "loss: ce"
SAID = "params.yaml says loss=focal, but the results in dvc.lock were made with loss=ce (evaluate)"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A repository whose HEAD holds a run of its params. Its stage depends on code, on a folder of it, on pinned data and on a library."""
    folder = tmp_path_factory.mktemp("repo")
    run = start_repository(folder, MAKE)
    dag = (folder / "dvc.yaml").read_text()
    dag = dag.replace("deps: [make.py]", "deps: [make.py, code, data/source]").replace("evaluate]", "evaluate, {versions.yaml: [numpy]}]")
    (folder / "dvc.yaml").write_text(dag)
    (folder / "params.yaml").write_text(DEFAULTS.read_text())
    (folder / "versions.yaml").write_text('numpy: "2.4.6"\n')
    (folder / ".gitignore").write_text("/data/source\n/data/*.parquet\n/metrics/\n__pycache__/\n")
    (folder / "data" / "source").mkdir(parents=True)
    (folder / "data" / "source" / "photo.jpg").write_text("a photo")
    for name in ("b.py", "a.py", "deeper/é.py", "B.py"):
        (folder / "code" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "code" / name).write_text(f"# {name}\n")
    run(*DVC, "add", "-q", "data/source")
    run(*DVC, "repro", "-q")
    run("git", "add", "-A")
    run("git", "commit", "-qm", "a run")
    return folder


@pytest.fixture
def repo(made, tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "repo"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "tester")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tester")
    return folder


def edit(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def ran_with_focal() -> None:
    """As `dvc repro` leaves dvc.lock, in no time."""
    edit("dvc.lock", CE, FOCAL)


def commit(*options: str) -> None:
    git("commit", "-qm", "a change", *options)


def test_what_ran_and_was_committed_is_right(repo):
    assert look() == look(staged=True)
    assert (look().notices, look().mistake) == ([], "")


def test_params_committed_without_their_results_are_a_mistake(repo):
    edit("params.yaml", CE, FOCAL)
    commit("-a")
    found = look()
    assert f"HEAD: {SAID}" in found.mistake
    assert "dvc repro" in found.mistake
    assert "dermlab apply" in found.mistake
    assert found.notices == []
    ran_with_focal()
    found = look()
    assert "In the working tree they agree: `git add params.yaml dvc.lock`, and commit both." in found.mistake
    assert found.notices == []
    commit("-a")
    assert look().mistake == ""


def test_results_of_another_experiment_committed_beside_the_params_are_a_mistake(repo):
    edit("params.yaml", CE, FOCAL)
    ran_with_focal()
    git("checkout", "-q", "params.yaml")
    commit("-a")
    assert "params.yaml says loss=ce, but the results in dvc.lock were made with loss=focal" in look().mistake


def test_what_is_not_committed_is_told_and_no_mistake(repo):
    edit("params.yaml", CE, FOCAL)
    (told,) = look().notices
    assert told.startswith(f"working tree: {SAID}")
    git("add", "params.yaml")
    (told,) = look().notices
    assert told.startswith(f"staged: {SAID}")
    assert look().mistake == ""


def test_what_is_staged_is_looked_at_alone_before_a_commit(repo):
    edit("params.yaml", CE, FOCAL)
    assert look(staged=True).mistake == ""
    git("add", "params.yaml")
    assert f"staged: {SAID}" in look(staged=True).mistake
    ran_with_focal()
    assert "In the working tree they agree" in look(staged=True).mistake
    git("add", "dvc.lock")
    assert look(staged=True).mistake == ""


def test_several_params_are_named_up_to_three(repo):
    edit("params.yaml", CE, FOCAL)
    for key in ("tta: none", "ece_bins: 15", "bootstrap: "):
        edit(
            "params.yaml", f"  {key}", {"tta: none": "  tta: flip", "ece_bins: 15": "  ece_bins: 14", "bootstrap: ": "  bootstrap: 1"}[key]
        )
    commit("-a")
    said = look().mistake
    assert "evaluate.tta=flip" in said
    assert "evaluate.tta=none (evaluate)" in said
    assert said.count("and 1 more") == 2


def test_params_of_the_machine_and_the_report_change_no_result(repo):
    edit("params.yaml", "  workers: 0", "  workers: 3")
    edit("params.yaml", "  examples: ", "  examples: 1")
    commit("-a")
    assert look().mistake == ""


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        ("make.py", MAKE + "# more", "make.py"),
        ("code/deeper/é.py", "# changed\n", "code"),
        ("code/new.py", "# new\n", "code"),
        ("versions.yaml", "numpy: '2.5.0'\n", "numpy"),
        ("data/source.dvc", "outs:\n- {md5: 0123.dir, path: source}\n", "data/source"),
    ],
)
def test_other_code_libraries_or_data_are_told_wherever_they_are_and_no_mistake(repo, path, text, named):
    Path(path).write_text(text)
    said = f"the results of evaluate were made with other versions of {named}. `dvc repro`"
    (told,) = look().notices
    assert told.startswith(f"working tree: {said}")
    git("add", "-A")
    (told,) = look().notices
    assert told.startswith(f"staged: {said}")
    assert look(staged=True).notices == look().notices
    commit()
    (told,) = look().notices
    assert told.startswith(f"HEAD: {said}")
    assert look().mistake == ""


def test_what_git_ignores_beside_the_code_is_no_other_code(repo):
    (repo / "code" / "__pycache__").mkdir()
    (repo / "code" / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    assert look().notices == []


def test_nothing_that_has_run_contradicts_nothing(repo):
    git("rm", "-q", "dvc.lock")
    commit()
    edit("params.yaml", CE, FOCAL)
    assert (look().notices, look().mistake) == ([], "")
    git("add", "-A")
    assert look(staged=True).mistake == ""


def test_before_the_first_commit_and_away_from_git_there_is_nothing_to_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(DEFAULTS.read_text())
    assert (look().notices, look().mistake) == ([], "")
    git("init", "-q")
    git("add", "-A")
    assert look(staged=True).mistake == ""
    assert look().mistake == ""


@pytest.mark.parametrize("cut", ["schema: '2.0'\nstages:\n  evaluate:\n    params: [\n", "stages:\n  evaluate: cut\n", "<<<<<<< HEAD\n"])
def test_half_a_lock_is_said_and_where(repo, cut):
    Path("dvc.lock").write_text(cut)
    with pytest.raises(ContractError, match="working tree: params.yaml or dvc.lock cannot be read"):
        look()
    assert look(staged=True).mistake == ""
    edit("params.yaml", CE, FOCAL)
    git("add", "params.yaml")
    assert "`dvc repro`" in look(staged=True).mistake


def test_check_ends_with_1_for_a_mistake_and_says_notices_first(repo):
    edit("params.yaml", CE, FOCAL)
    commit("-a")
    Path("make.py").write_text(MAKE + "# more")
    run = CliRunner().invoke(app, ["check"])
    assert isinstance(run.exception, DermlabError)
    assert SAID in str(run.exception)
    assert run.output.splitlines()[0].startswith("params.yaml is valid: variant=baseline loss=focal")
    assert "other versions of make.py" in run.output
    git("checkout", "-q", "make.py")
    ran_with_focal()
    commit("-a")
    run = CliRunner().invoke(app, ["check"])
    assert run.exit_code == 0
    assert len(run.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"), [(CE, "loss: focl", "did you mean focal"), ("  workers: 0", "  workers: x", "machine.workers")]
)
def test_params_are_checked_as_they_are_staged(repo, old, new, message):
    edit("params.yaml", old, new)
    git("add", "-A")
    git("restore", "--source=HEAD", "params.yaml")
    run = CliRunner().invoke(app, ["check", "--staged"])
    assert isinstance(run.exception, ParamsError)
    assert message in str(run.exception)
    assert CliRunner().invoke(app, ["check"]).exit_code == 0


def test_without_staged_params_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    with pytest.raises(ParamsError, match="index holds no params.yaml"):
        staged_params()


def with_hook(*command: str) -> subprocess.CompletedProcess:
    """As a person commits whose shell knows dermlab."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)


def test_the_hook_refuses_what_check_refuses_and_lets_the_rest_pass(repo):
    shutil.copytree(ROOT / ".githooks", ".githooks")
    git("config", "core.hooksPath", ".githooks")
    head = git("rev-parse", "HEAD")
    edit("params.yaml", CE, FOCAL)
    for how in (["-a"], ["--", "params.yaml"]):
        refused = with_hook("git", "commit", "-qm", "params alone", *how)
        assert refused.returncode == 1
        assert "the results in dvc.lock were made with loss=ce" in " ".join(refused.stderr.split())
        assert git("rev-parse", "HEAD") == head
    Path("notes.md").write_text("of something else\n")
    git("add", "notes.md")
    passed = with_hook("git", "commit", "-qm", "notes")
    assert (passed.returncode, passed.stdout, passed.stderr) == (0, "", "")
    subprocess.run([*DVC, "repro", "-q"], check=True, capture_output=True)
    assert with_hook("git", "commit", "-qam", "params and results").returncode == 0
    assert look().mistake == ""
    assert git("status", "--porcelain", "--untracked-files=no") == ""


def test_the_hook_says_what_it_lacks(repo):
    shutil.copytree(ROOT / ".githooks", ".githooks")
    git("config", "core.hooksPath", ".githooks")
    edit("params.yaml", CE, FOCAL)
    (repo / "bin").mkdir()
    for tool in ("git", "sh"):
        (repo / "bin" / tool).symlink_to(shutil.which(tool))
    refused = subprocess.run(
        ["git", "commit", "-qam", "params"], env={**os.environ, "PATH": str(repo / "bin")}, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "make setup" in refused.stderr


def test_a_commit_does_not_wait_for_libraries(repo):
    code = "import sys; from dermlab.cli import app; app(['check', '--staged'], standalone_mode=False); print([*sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].strip("[]").replace("'", "").split(", "))
    assert not loaded & {"torch", "pandas", "numpy", "dvc", "pyarrow", "sklearn", "timm", "transformers"}
