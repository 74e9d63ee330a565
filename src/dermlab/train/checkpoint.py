"""Checkpoints that a killed run resumes from. They lie outside DVC's outs, under the hash of recipe and inputs, so that
another learning rate, other labels or other code never resume what this one left; the folder goes when the run has ended."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch

from dermlab.run import paths
from dermlab.run.code import code_digest
from dermlab.run.files import atomic_path
from dermlab.run.mirror import STATE
from dermlab.run.progress import say
from dermlab.train.inputs import Inputs
from dermlab.train.params import Params


def recipe_of(params: Params) -> dict[str, Any]:
    """The params that decide what is trained; what it is trained on is in the inputs' digests."""
    keys = ("loss", "backbone", "seed")
    return {**{key: getattr(params, key) for key in keys}, "train": params.train.model_dump(mode="json")}


def checkpoint_folder(params: Params, inputs: Inputs, root: Path | None = None) -> Path:
    """`root`: where `.checkpoints` lies; DVC tells its root to the stages it runs."""
    described = {"recipe": recipe_of(params), "inputs": inputs.digests, "code": _code()}
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]
    return Path(root or os.environ.get("DVC_ROOT", ".")) / paths.CHECKPOINTS / digest


def _code() -> str:
    """What decides the numbers of a training beside recipe and inputs: the code that this room reaches, and the libraries that it uses."""
    return code_digest(*Path(__file__).parent.glob("*.py"))


def write_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """`state`: tensors, numbers, strings, lists and dicts of them. Whole or absent."""
    with atomic_path(folder / STATE) as unfinished:
        torch.save(state, unfinished)


def read_checkpoint(folder: Path) -> dict[str, Any] | None:
    """None where there is none, or none that can be read."""
    path = folder / STATE
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever the damage makes its readers raise
        say(f"{path} cannot be read ({type(error).__name__}); training starts again.")
        return None


def remove_checkpoint(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.parent.is_dir() and not folder.parent.is_symlink() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()
