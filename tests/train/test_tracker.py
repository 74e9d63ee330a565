"""A tracker of wandb's shape: what it is told, and that it costs no training."""

import sys
from types import SimpleNamespace

import pytest

from dermlab.run.errors import ParamsError


@pytest.fixture
def wandb(monkeypatch):
    """A module of wandb's shape in its place; `told`: its calls."""
    told = []
    module = SimpleNamespace(
        told=told,
        init=lambda **given: told.append(("init", given)),
        log=lambda row: told.append(("log", row)),
        finish=lambda: told.append(("finish", None)),
    )
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.setenv("DVC_EXP_NAME", "focal")
    return module


def test_it_is_told_params_and_every_epoch_and_nothing_of_a_row(clinic, tmp_path, wandb):
    params = clinic.params()
    metrics = clinic.train(tmp_path, params, tracker="wandb")
    (first, start), *epochs, (last, _) = wandb.told
    assert (first, last) == ("init", "finish")
    run = start["id"]
    assert start == {"project": "dermlab", "name": f"focal-{run}", "id": run, "config": params.model_dump(), "resume": "allow"}
    assert [kind for kind, _ in epochs] == ["log"] * metrics["epochs"]
    assert all(set(row) == {"train_loss", "val_top1", "val_macro_f1", "val_nll"} for _, row in epochs)
    clinic.train(tmp_path, params, tracker="wandb")
    assert wandb.told[-1 - len(epochs) - 1][1]["id"] == run  # the same training
    assert max(row["val_top1"] for _, row in epochs) == pytest.approx(metrics["val_top1"], abs=1e-4)


def test_one_that_fails_on_the_way_is_said_once_and_the_training_ends_as_without(clinic, tmp_path, wandb, capsys):
    def fail(_):
        raise ConnectionError("no route to key=secret")

    wandb.log = fail
    tracked = clinic.train(tmp_path / "tracked", clinic.params(), tracker="wandb")
    said = capsys.readouterr()
    assert (said.out + said.err).count("wandb failed (ConnectionError); the run goes on untracked") == 1
    assert "secret" not in said.out + said.err
    assert tracked == clinic.train(tmp_path / "plain", clinic.params())


def test_one_that_is_not_there_or_cannot_start_stops_before_anything_is_trained(clinic, tmp_path, wandb, monkeypatch):
    wandb.init = None
    with pytest.raises(ParamsError, match="machine.tracker: wandb cannot start"):
        clinic.train(tmp_path, clinic.params(), tracker="wandb")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ParamsError, match="pip install wandb"):
        clinic.train(tmp_path, clinic.params(), tracker="wandb")
    assert not (tmp_path / "model").exists()
