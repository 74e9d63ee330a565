"""A training that is killed or told to stop goes on where it was, and ends with the bytes of one that was left alone."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from trained_files import files_of

from dermlab.train import checkpoint, loop, state

KILLS = int(os.environ.get("DERMLAB_KILLS", 1))
# In which step a signal comes, which one, and the decay of an average of the weights; `make soak` tries all.
STOPS = [(step, number, ema) for step in (1, 7, 16, 18, 21, 25) for number in (signal.SIGTERM, signal.SIGINT) for ema in (0.0, 0.9)]
KILLED = """
import importlib.util, json, os, pathlib, signal, sys
sys.path.insert(0, {tests!r})
spec = importlib.util.spec_from_file_location("clinic_setup", {setup!r})
setup = importlib.util.module_from_spec(spec); spec.loader.exec_module(setup)
from dermlab.train import loop
folder, into, steps = sys.argv[1:]
update, done = loop._update, []
def deadly(*arguments):
    done.append(1)
    if len(done) == int(steps):
        os.kill(os.getpid(), signal.SIGKILL)
    return update(*arguments)
loop._update = deadly
clinic = setup.Clinic(pathlib.Path(folder), None)
metrics = clinic.train(pathlib.Path(into), clinic.params(), checkpoint_minutes=1e-9)
print("METRICS", json.dumps(metrics))
"""


class KilledError(Exception):
    pass


@pytest.mark.parametrize("epochs", [2, 3, 4])
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(clinic, finished, tmp_path, monkeypatch, epochs):
    """Killed within the frozen phase, between the phases and within fine-tuning."""
    written = []

    def write_and_die(folder, content):
        checkpoint.write_checkpoint(folder, content)
        written.append(content["epoch"])
        if len(written) == epochs:
            raise KilledError

    monkeypatch.setattr(state, "write_checkpoint", write_and_die)
    with pytest.raises(KilledError):
        clinic.train(tmp_path, clinic.params())
    assert clinic.train(tmp_path, clinic.params()) == finished[1]
    assert len(written) == 5  # no epoch was trained twice
    assert files_of(tmp_path) == files_of(finished[0])


@pytest.mark.parametrize(("step", "number", "ema"), STOPS if "DERMLAB_KILLS" in os.environ else [STOPS[5], STOPS[-4]])
def test_a_run_told_to_stop_within_an_epoch_goes_on_from_that_step(clinic, tmp_path, monkeypatch, step, number, ema):
    """Five steps an epoch, three epochs of the head and two end to end: the signal comes in step `step` of 25. The runs with an average of
    the weights have a loss that remembers the rows."""
    params, done = clinic.params(ema=ema).model_copy(update={"loss": "elr" if ema else "ce"}), []
    whole = clinic.train(tmp_path / "whole", params)
    original = loop._update

    def signalled(*arguments):
        done.append(1)
        if len(done) == step:
            os.kill(os.getpid(), number)
        return original(*arguments)

    monkeypatch.setattr(loop, "_update", signalled)
    with pytest.raises((SystemExit, KeyboardInterrupt)):
        clinic.train(tmp_path / "stopped", params)
    assert len(done) == step
    assert clinic.train(tmp_path / "stopped", params) == whole
    assert len(done) == 25  # no step was taken twice
    assert files_of(tmp_path / "stopped") == files_of(tmp_path / "whole")


def test_a_run_killed_between_two_checkpoints_within_an_epoch_goes_on_from_the_last(clinic, finished, tmp_path, monkeypatch):
    written = []

    def write_and_die(folder, content):
        checkpoint.write_checkpoint(folder, content)
        written.append((content["phase"], content["epoch"], content["step"]))
        if content["phase"] == "finetune" and content["step"] == 3:
            raise KilledError

    monkeypatch.setattr(state, "write_checkpoint", write_and_die)
    with pytest.raises(KilledError):
        clinic.train(tmp_path, clinic.params(), checkpoint_minutes=1e-9)
    assert written[-1] == ("finetune", 0, 3)
    assert clinic.train(tmp_path, clinic.params()) == finished[1]
    assert files_of(tmp_path) == files_of(finished[0])


def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bytes(clinic, finished, tmp_path):
    """SIGKILL, which asks nobody, at steps of both phases that a seed draws, KILLS times in all; whatever the last checkpoint lacks is done
    again. A run that ends before is followed by another."""
    script = tmp_path / "script.py"
    script.write_text(KILLED.format(tests=str(Path(__file__).parents[1]), setup=str(Path(__file__).with_name("conftest.py"))))
    random, kills, run = np.random.default_rng(KILLS), 0, 0
    while kills < KILLS:
        run, code = run + 1, None
        while code != 0:
            steps = int(random.integers(1, 7)) if kills < KILLS else 0
            asked = [str(clinic.folder), str(tmp_path / f"run-{run}"), str(steps)]
            done = subprocess.run([sys.executable, str(script), *asked], capture_output=True, text=True, timeout=300)
            code = done.returncode
            assert code in (0, -signal.SIGKILL), done.stderr[-3000:]
            kills += code != 0
        assert json.loads(done.stdout.split("METRICS")[1]) == finished[1]
        assert files_of(tmp_path / f"run-{run}") == files_of(finished[0])
