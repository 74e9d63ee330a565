"""Experiments of every commit, and which of them were tested alike."""

from pathlib import Path

import pytest
from one_stage import DVC, start_repository

from dermlab.study.listing import as_table, list_runs

MAKE = """
import json
from pathlib import Path
Path("data").mkdir(exist_ok=True); Path("metrics").mkdir(exist_ok=True)
text = Path("params.yaml").read_text()
said = {"predictions": text, "catalog": "two" if "other test" in text else "one"}
for name in ("predictions", "catalog", "images", "manifest", "flags"):
    Path(f"data/{name}.parquet").write_text(said.get(name, "one"))
Path("metrics/headline.json").write_text(json.dumps({"top1": 0.75 if "focal" in text else 0.5}))
"""


@pytest.fixture
def repo(tmp_path, monkeypatch):
    run = start_repository(tmp_path, MAKE, "metrics/headline.json")
    run("git", "add", "-A")
    run("git", "commit", "-qm", "one")
    run(*DVC, "exp", "run", "-q", "--name", "plain")
    run("git", "commit", "-q", "--allow-empty", "-m", "two")
    run(*DVC, "exp", "run", "-q", "--name", "focal", "-S", "loss=focal")
    (tmp_path / "params.yaml").write_text((tmp_path / "params.yaml").read_text() + "# other test\n")
    run(*DVC, "exp", "run", "-q", "--force", "--name", "elsewhere")
    monkeypatch.chdir(tmp_path)


def test_runs_of_all_commits_are_listed_with_what_they_were_tested_on(repo):
    runs = {run.name: run for run in list_runs()}
    assert set(runs) == {"plain", "focal", "elsewhere"}
    assert runs["plain"].base != runs["focal"].base
    assert (runs["plain"].top1, runs["focal"].top1) == (0.5, 0.75)
    assert runs["plain"].test == runs["focal"].test != runs["elsewhere"].test
    table = as_table(list_runs())
    tested = dict(zip(table.columns[0].cells, table.columns[3].cells, strict=True))
    assert tested["plain"] == tested["focal"] != tested["elsewhere"]


def test_a_headline_that_is_damaged_in_the_cache_is_named_and_the_others_are_listed(repo, capsys):
    from dvc.repo import Repo

    with Repo() as opened:
        for path in Path(opened.cache.local.path).rglob("*"):
            if path.is_file() and path.read_bytes() == b'{"top1": 0.75}':
                path.chmod(0o644)
                path.write_bytes(b'{"top1": 0.7')
    assert {run.name: run.top1 for run in list_runs()} == {"plain": 0.5, "focal": None, "elsewhere": None}
    assert "focal: metrics/headline.json is damaged in the DVC cache" in capsys.readouterr().err
