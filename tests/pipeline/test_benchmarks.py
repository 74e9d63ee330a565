"""The benchmarks run, in their small version, and end with the object that the table is made of."""

import json
import os
import runpy
import subprocess
import sys

import pytest
from clones import ROOT, environment

KEYS = {"name", "ours", "peers", "unit", "ratio", "goal", "met", "versions", "machine"}
QUICKEST = ("flags", "compare", "pull")
EVERY = bool(os.environ.get("DERMLAB_BENCHMARKS"))  # `make soak` asks for the others too


def named() -> list[str]:
    return runpy.run_path(str(ROOT / "benchmarks" / "harness.py"))["names"]() if EVERY else list(QUICKEST)


@pytest.mark.parametrize("name", named())
def test_the_last_line_is_the_result(name):
    command = [sys.executable, ROOT / "benchmarks" / f"{name}.py", "--quick"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    if "skipped" in result:  # by `make soak`, where a peer is not installed or there is no GPU
        assert name not in QUICKEST
        pytest.skip(f"{name}: {result['skipped']}")
    assert set(result) >= KEYS
    met = not result["missed"] if "missed" in result else result["ratio"] >= result["goal"]  # `verdict` has several goals
    assert result["met"] == met


def test_a_benchmark_whose_source_is_not_here_says_so(tmp_path):
    command = [sys.executable, ROOT / "benchmarks" / "flags.py", "--quick", "--source", f"ham10000:{tmp_path / 'none'}"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600, check=True)
    assert json.loads(done.stdout) == {"name": "flags", "skipped": f"there is no {tmp_path / 'none'} on this machine"}
