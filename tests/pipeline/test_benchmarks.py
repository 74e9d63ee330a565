"""The benchmarks run, in their small version, and end with the object that the table is made of."""

import json
import subprocess
import sys

import pytest
from clones import ROOT, environment

KEYS = {"name", "ours", "peers", "unit", "ratio", "goal", "met", "versions", "machine"}


@pytest.mark.parametrize("name", ["oof", "judge", "flags", "head_sweep", "compare", "pull"])
def test_the_last_line_is_the_result(name):
    command = [sys.executable, ROOT / "benchmarks" / f"{name}.py", "--quick"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert set(result) >= KEYS
    assert result["met"] == (result["ratio"] >= result["goal"])
