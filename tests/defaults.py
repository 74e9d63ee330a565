"""Params for tests: as params.yaml was one day. The live file is whatever the last `dvc exp run -S ...` left there."""

from pathlib import Path

DEFAULTS = Path(__file__).with_name("params.yaml")
