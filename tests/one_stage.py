"""A repository of Git and DVC with a pipeline of one stage, whose tables depend on the param `loss`: as small as DVC allows."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

DVC = (sys.executable, "-m", "dvc")
PARAMS = (
    "loss: ce\nseed: 17\nevaluate:\n  ece_bins: 15\nreport: {examples: 1, primary: top1, guarded: rare_recall, margin: 0.01, looks: none}\n"
)
DVC_YAML = """
stages:
  evaluate:
    cmd: {python} make.py
    deps: [make.py]
    params: [loss, evaluate]
    outs: [data/predictions.parquet, data/catalog.parquet, data/images.parquet, data/manifest.parquet, data/flags.parquet]
    metrics: [{metrics}]
"""


def start_repository(folder: Path, script: str, *metrics: str) -> Callable[..., None]:
    """Writes the files, inits Git and DVC, and returns what runs a command there. `script`: make.py; `metrics`: what else it writes."""
    (folder / "dvc.yaml").write_text(DVC_YAML.format(python=sys.executable, metrics=", ".join(metrics)))
    (folder / "make.py").write_text(script)
    (folder / "params.yaml").write_text(PARAMS)
    (folder / ".gitignore").write_text("/data/\n/metrics/\n")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "DVC_"))}
    identity = {f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}

    def run(*command: str) -> None:
        subprocess.run(command, cwd=folder, env={**kept, **identity, "DVC_NO_ANALYTICS": "1"}, check=True, capture_output=True)

    run("git", "init", "-q", "-b", "main")
    run(*DVC, "init", "-q")
    return run
