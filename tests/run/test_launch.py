"""One process becomes as many as the machine has GPUs."""

import os
import subprocess
import sys

import pytest
from defaults import DEFAULTS

SCRIPT = """
import os, sys
from dermlab.run.command import run_command
def main():
    print(f"process {os.environ.get('RANK', 'alone')} of {os.environ.get('WORLD_SIZE', 'none')} with {sys.argv[1:]}", flush=True)
run_command(main, shared=True)
"""


@pytest.mark.parametrize(
    ("gpus", "lines"),
    [("2", ["process 0 of 2 with ['a b']", "process 1 of 2 with ['a b']"]), ("1", ["process alone of none with ['a b']"])],
)
def test_a_shared_stage_runs_once_a_gpu(tmp_path, gpus, lines):
    (tmp_path / "params.yaml").write_text(DEFAULTS.read_text())
    (tmp_path / "stage.py").write_text(SCRIPT)
    environment = {**os.environ, "DERMLAB_GPUS": gpus}
    done = subprocess.run([sys.executable, "stage.py", "a b"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == lines
