"""`dermlab lock` leaves data/groups.csv fit for the source that it pins, or says that it is not."""

import pytest
from dvc.repo import Repo
from typer.testing import CliRunner

from dermlab.cli import app
from dermlab.data.known_groups import NONE, PHANTOM
from dermlab.run import paths


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Repo.init(no_scm=True).close()


def lock(*words: str) -> str:
    done = CliRunner().invoke(app, ["lock", *words])
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_a_known_source_brings_its_groups_and_what_a_person_wrote_is_kept(repository):
    told = lock("phantom", "--images", "200")
    assert paths.GROUPS.read_text() == PHANTOM
    assert "data/groups.csv names groups of its classes now" in told
    assert "commit data/source.dvc and data/groups.csv" in told
    assert "data/groups.csv" not in lock("phantom", "--images", "200")
    paths.GROUPS.write_text("group,class\nurgent,melanoma\n")
    told = lock("phantom", "--images", "200")
    assert "data/groups.csv does not fit this source" in told
    assert "line 2, group 'urgent': 'melanoma' is no class of this source" in told
    assert paths.GROUPS.read_text() == "group,class\nurgent,melanoma\n"
    paths.GROUPS.write_text(NONE)
    lock("phantom", "--images", "200")
    assert paths.GROUPS.read_text() == PHANTOM
