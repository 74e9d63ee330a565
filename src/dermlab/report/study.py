"""A study: a plain loop of `dvc exp run` in the workspace, one named experiment after another.

Not `dvc queue`: it can hang, lose failed runs and rerun finished ones. Going on after a stop needs no state of our own:
stages that have already run come back from DVC's run cache in seconds.
"""

import io
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
from dermlab.report.oracle import write_oracle_ledger

Overrides = Mapping[str, object]
BUDGET = "review"  # the one key of an experiment that is no param: the share of the training rows that a simulated reviewer looks at


def read_recipe(path: Path) -> dict[str, Overrides]:
    """Experiments of a recipe, in order, the baseline first: name -> `-S` overrides, with `seeds:` once a seed (`name-s18`).

    Raises ParamsError.
    """
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise ParamsError(f"There is no recipe {path}. Recipes there: {known}.")
    recipe = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    experiments = recipe.get("experiments") if isinstance(recipe, dict) else None
    if not isinstance(experiments, dict) or not experiments:
        raise ParamsError(f"{path} must hold `experiments:`, a name and its overrides a line, the baseline first.")
    unknown = set(recipe) - {"experiments", "set", "seeds"}
    if unknown:
        raise ParamsError(f"{path}: {', '.join(sorted(unknown))} is not known. Valid: experiments, set, seeds.")
    planned = {str(name): {**(recipe.get("set") or {}), **(overrides or {})} for name, overrides in experiments.items()}
    first, *others = recipe.get("seeds") or [None]
    if first is None:
        return planned
    named = {name: {**overrides, "seed": first} for name, overrides in planned.items()}
    return named | {f"{name}-s{seed}": {**overrides, "seed": seed} for seed in others for name, overrides in planned.items()}


def run_study(experiments: Mapping[str, Overrides]) -> None:
    """Each experiment from the params.yaml of now; afterwards params.yaml and the ledger are as they were and the first experiment
    is in the workspace. Raises DermlabError where one fails; those before it are kept."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: a pod that is taken away leaves a workspace fit to go on
    before = {path: path.read_text(encoding="utf-8") for path in (paths.PARAMS, paths.RELABELS)}
    try:
        for position, (name, overrides) in enumerate(experiments.items(), 1):
            started = time.perf_counter()
            said = " ".join(f"{key}={value}" for key, value in overrides.items()) or "as params.yaml says"
            say(f"[{position}/{len(experiments)}] {name}: {said}")
            _restore(before)  # -S stays in the workspace: without this the next run would inherit it
            if name in existing():
                dvc("exp", "remove", name, "--quiet")
            params = {key: value for key, value in overrides.items() if key != BUDGET}
            if BUDGET in overrides:
                _simulate_review(params, float(overrides[BUDGET]))
            dvc("exp", "run", "--name", name, *(f"--set-param={key}={_as_yaml(value)}" for key, value in params.items()))
            say(f"[{position}/{len(experiments)}] {name}: done in {time.perf_counter() - started:.0f} s")
        _restore(before)
        dvc("exp", "apply", next(iter(experiments)), "--quiet")
    finally:
        _restore(before)


def _simulate_review(params: Overrides, budget: float) -> None:
    """The queue is that of the experiment's own flags, so these are made (or restored) first."""
    text = YAML()
    values = text.load(paths.PARAMS.read_text(encoding="utf-8"))
    for key, value in params.items():
        *blocks, name = key.split(".")
        block = values
        for part in blocks:
            block = block[part]
        block[name] = value
    with io.StringIO() as buffer:
        text.dump(values, buffer)
        write_text(paths.PARAMS, buffer.getvalue())
    dvc("repro", "flag", "--quiet")
    lines = write_oracle_ledger(budget)
    say(f"      a simulated reviewer answered the first {lines} questions, {budget:.0%} of the training rows")


def _restore(texts: Mapping[Path, str]) -> None:
    for path, text in texts.items():
        if path.read_text(encoding="utf-8") != text:
            write_text(path, text)


def _as_yaml(value: object) -> object:
    return {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value


def existing() -> set[str]:
    """Names of the experiments that start from HEAD."""
    listed = subprocess.run([*DVC, "exp", "list", "--name-only"], capture_output=True, text=True, check=False)
    return set(listed.stdout.split())


DVC = (sys.executable, "-m", "dvc")
GRACE = 20  # seconds


def dvc(*arguments: str) -> None:
    """Runs dvc in a process group of its own: a signal to dvc alone would orphan the stage that it runs. Whatever stops us becomes
    an interrupt of the group, on which dvc puts HEAD back that an experiment detaches."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    process = subprocess.Popen([*DVC, *arguments], env=environment, process_group=0)
    try:
        returned = process.wait()
    except BaseException:
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            os.killpg(process.pid, how)
            try:
                process.wait(GRACE)
                break
            except subprocess.TimeoutExpired:
                continue
        raise
    if returned:
        raise DermlabError(
            f"`dvc {' '.join(arguments)}` failed (exit {returned}); what it said stands above. Experiments that had finished "
            "are kept: mend the cause and run the study again, it goes on from there."
        )
