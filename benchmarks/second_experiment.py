"""The first `dvc exp run` of a fresh clone, against `dvc exp run -S loss=focal` after it. Goal: 3 times as long.

What is reused: catalog, pull, embed, flag and manifest. Peer and ours are one pipeline: the ratio says what the DAG saves.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import arguments, record, seconds

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)


def one_round(images: int) -> tuple[float, float]:
    """Seconds of the first and of the second experiment in a clone of HEAD with an empty cache."""
    scratch = Path(tempfile.mkdtemp())
    try:
        run(ROOT, "git", "clone", "-q", str(ROOT), str(scratch / "clone"))
        folder = scratch / "clone"
        run(folder, "dermlab", "lock", "phantom", f"--images={images}")
        first = seconds(lambda: run(folder, "dvc", "exp", "run"))
        second = seconds(lambda: run(folder, "dvc", "exp", "run", "-S", "loss=focal"))
        return first, second
    finally:
        shutil.rmtree(scratch)


def main() -> None:
    options = arguments(__doc__)
    rounds = [one_round(600 if options.quick else 4800) for _ in range(1 if options.quick else options.rounds)]
    first, second = (sorted(times)[len(times) // 2] for times in zip(*rounds, strict=True))
    print(f"first experiment {first:.0f} s, second {second:.0f} s (medians of {len(rounds)} rounds)")
    record(
        "second_experiment", second, {"first experiment": first}, "s", 3.0, ("dvc", "torch", "timm"),
        ratio=first / second, keep=not options.quick, rounds=len(rounds),
    )  # fmt: skip


if __name__ == "__main__":
    main()
