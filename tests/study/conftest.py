"""A repository of three files, in which nothing has run."""

from pathlib import Path

import pytest

from dermlab.run.git import git


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """The working directory, on branch main."""
    monkeypatch.chdir(tmp_path)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "tester")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tester")
    git("init", "-q", "-b", "main")
    Path("params.yaml").write_text("loss: ce\n")
    Path("code.py").write_text("one\n")
    git("add", "-A")
    git("commit", "-qm", "first")
    return tmp_path
