"""A study: a plain loop of `dvc exp run` in the workspace, one named experiment after another.

Not `dvc queue`: it can hang, lose failed runs and rerun finished ones. Going on after a stop needs no state of our own:
stages that have already run come back from DVC's run cache in seconds.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

from dermlab.data import paths
from dermlab.data.errors import DermlabError, ParamsError
from dermlab.data.files import write_text
from dermlab.data.progress import say

Overrides = Mapping[str, object]


def read_recipe(path: Path) -> dict[str, Overrides]:
    """Experiments of a recipe, in order, the baseline first: name -> `-S` overrides. Raises ParamsError."""
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise ParamsError(f"There is no recipe {path}. Recipes there: {known}.")
    recipe = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    experiments = recipe.get("experiments") if isinstance(recipe, dict) else None
    if not isinstance(experiments, dict) or not experiments:
        raise ParamsError(f"{path} must hold `experiments:`, a name and its overrides a line, the baseline first.")
    common = recipe.get("set") or {}
    return {str(name): {**common, **(overrides or {})} for name, overrides in experiments.items()}


def run_study(experiments: Mapping[str, Overrides]) -> None:
    """Each experiment from the params.yaml of now; afterwards params.yaml is as it was and the first experiment is in the
    workspace. Raises DermlabError where one fails; those before it are kept."""
    params = paths.PARAMS.read_text(encoding="utf-8")
    try:
        for position, (name, overrides) in enumerate(experiments.items(), 1):
            started = time.perf_counter()
            said = " ".join(f"{key}={value}" for key, value in overrides.items()) or "as params.yaml says"
            say(f"[{position}/{len(experiments)}] {name}: {said}")
            write_text(paths.PARAMS, params)  # -S stays in the workspace: without this the next run would inherit it
            if name in existing():
                dvc("exp", "remove", name, "--quiet")
            dvc("exp", "run", "--name", name, *(f"--set-param={key}={value}" for key, value in overrides.items()))
            say(f"[{position}/{len(experiments)}] {name}: done in {time.perf_counter() - started:.0f} s")
        dvc("exp", "apply", next(iter(experiments)), "--quiet")
    finally:
        write_text(paths.PARAMS, params)


def existing() -> set[str]:
    """Names of the experiments that start from HEAD."""
    listed = subprocess.run([*DVC, "exp", "list", "--name-only"], capture_output=True, text=True, check=False)
    return set(listed.stdout.split())


DVC = (sys.executable, "-m", "dvc")


def dvc(*arguments: str) -> None:
    """Runs dvc in a process group of its own: SIGTERM to dvc alone would orphan the stage that it runs."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    process = subprocess.Popen([*DVC, *arguments], env=environment, process_group=0)
    try:
        returned = process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    if returned:
        raise DermlabError(
            f"`dvc {' '.join(arguments)}` failed (exit {returned}); what it said stands above. Experiments that had finished "
            "are kept: mend the cause and run the study again, it goes on from there."
        )
