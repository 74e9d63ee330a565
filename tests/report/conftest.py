import pytest
from world import World, make_world


@pytest.fixture
def world(tmp_path, monkeypatch) -> World:
    monkeypatch.chdir(tmp_path)
    return make_world(tmp_path)
