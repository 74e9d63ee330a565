"""`dermlab` as another project has it: installed without [train], in a folder that is no repository."""

import os
import subprocess
import sys
from pathlib import Path

COMMAND = """\
import sys
from importlib.machinery import PathFinder

class Fewer(PathFinder):
    @classmethod
    def find_spec(cls, name, *where):
        there = name.partition(".")[0] not in ("dvc", "dvc_data", "dvclive", "cleanlab", "distributed", "voluptuous", "onnx", "onnxruntime")
        return super().find_spec(name, *where) if there else None

sys.meta_path[sys.meta_path.index(PathFinder)] = Fewer
from dermlab.cli import main
main()
"""


def dermlab(folder: Path, *arguments: str, code: int = 0) -> str:
    """What the command prints, in `folder`; where it ends with another `code`, what it says of that."""
    command = [sys.executable, "-c", COMMAND, *arguments]
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout
