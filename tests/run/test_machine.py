import pytest
from defaults import DEFAULTS

from dermlab.run.errors import ParamsError
from dermlab.run.machine import read_machine


def test_the_environment_comes_before_the_file(monkeypatch):
    monkeypatch.delenv("DERMLAB_WORKERS", raising=False)
    assert read_machine(DEFAULTS).processes >= 1
    monkeypatch.setenv("DERMLAB_WORKERS", "3")
    assert read_machine(DEFAULTS).processes == 3


def test_a_variable_that_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv("DERMLAB_BATCH_SIZE", "many")
    with pytest.raises(ParamsError, match="DERMLAB_BATCH_SIZE: 'many' is not valid"):
        read_machine(DEFAULTS)
