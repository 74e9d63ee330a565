"""A recipe, recipes/NAME.yaml: the experiments of a study and the params of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dermlab.run import paths
from dermlab.run.errors import DermlabError, ParamsError
from dermlab.run.git import git
from dermlab.run.params import check_params_text, nearest, parsed, rewritten

BUDGET = "review"  # the one key of an experiment that is no param: the share of the training rows that a simulated reviewer looks at
LEDGER = "manifest.ledger"  # the param that names his answers
HELD_OUT, NO_FOLD = "manifest.held_out", "none"


@dataclass(frozen=True)
class Experiment:
    name: str
    overrides: Mapping[str, Any]  # params by dotted key, over those that are committed
    budget: float | None = None  # of a simulated reviewer, None without one

    @property
    def ledger(self) -> Path:
        """Of the simulated reviewer. Named after the budget alone, so that the seeds of one policy are one recipe."""
        return Path(f"data/simulated/review-{self.budget:g}.csv")

    @property
    def holds_out(self) -> bool:
        """A fold of the training rows: what it is worth is what it predicts there, and it is nothing to compare."""
        return self.overrides.get(HELD_OUT, NO_FOLD) != NO_FOLD


def read_recipe(path: Path, seeds: Sequence[int] = ()) -> list[Experiment]:
    """In order, the baseline first; with `seeds:` once a seed (`name-s18`), the first seed under the plain name. `seeds`: these instead.
    Raises ParamsError."""
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise ParamsError(f"There is no recipe {path}. Recipes there: {known}.")
    return parse_recipe(path.read_text(encoding="utf-8"), path, seeds)


def parse_recipe(text: str, path: Path, seeds: Sequence[int] = ()) -> list[Experiment]:
    """What stands in a recipe or is to stand there. `path`: what an error calls it. Raises ParamsError."""
    recipe = parsed(text, path)
    experiments = recipe.get("experiments")
    if not isinstance(experiments, dict) or not experiments:
        raise ParamsError(f"{path} must hold `experiments:`, a name and its overrides a line, the baseline first.")
    unknown = set(recipe) - {"experiments", "set", "seeds"}
    if unknown:
        raise ParamsError(f"{path}: {', '.join(sorted(unknown))} is not known. Valid: experiments, set, seeds.")
    for name, values in [("set", recipe.get("set")), *experiments.items()]:
        if not isinstance(values, Mapping | None):
            raise ParamsError(f"{path}: {name} holds {values!r}, which are no params. Write them as {{loss: focal, train.lr: 0.0003}}.")
    planned = {str(name): {**(recipe.get("set") or {}), **(overrides or {})} for name, overrides in experiments.items()}
    first, *others = seeds or recipe.get("seeds") or [None]
    if first is not None:
        named = {name: {**overrides, "seed": first} for name, overrides in planned.items()}
        planned = named | {f"{name}-s{seed}": {**overrides, "seed": seed} for seed in others for name, overrides in planned.items()}
    return [_experiment(name, overrides) for name, overrides in planned.items()]


def read_seeds(text: str) -> list[int]:
    """`17,18,19` or `17-24`; raises ParamsError."""
    seeds: list[int] = []
    for part in text.replace(" ", ",").split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if not first.isdecimal() or not last.isdecimal() or int(last) < int(first):
            raise ParamsError(f"--seeds {text!r}: write them as 17,18,19 or as 17-24.")
        seeds += range(int(first), int(last) + 1)
    if len(set(seeds)) < len(seeds):
        raise ParamsError(f"--seeds {text!r} names a seed twice.")
    return seeds


def _experiment(name: str, values: dict[str, Any]) -> Experiment:
    budget = values.pop(BUDGET, None)
    if budget is not None and not (isinstance(budget, int | float) and 0 < budget <= 1):
        raise ParamsError(f"{name}: {BUDGET}: {budget!r} is not valid. Valid: a share of the training rows, above 0 and up to 1")
    experiment = Experiment(name, values, None if budget is None else float(budget))
    return experiment if budget is None else Experiment(name, {**values, LEDGER: experiment.ledger.as_posix()}, float(budget))


def params_of(experiment: Experiment, committed: str) -> str:
    """The whole params.yaml of an experiment: the `committed` text with the experiment's values. Raises ParamsError for a key that is
    not there."""

    def override(values: Any) -> None:
        for key, value in experiment.overrides.items():
            *blocks, name = key.split(".")
            block = values
            for part in blocks:
                block = block.get(part, {}) if isinstance(block, Mapping) else {}
            block = block if isinstance(block, Mapping) else {}
            if name not in block:
                valid = ", ".join(block) or "nothing"
                raise ParamsError(f"{experiment.name}: {key} is not a param{nearest(name, block)} Valid there: {valid}")
            block[name] = value

    return rewritten(committed, override)


def checked_params(planned: Sequence[Experiment], committed: str) -> dict[str, str]:
    """The whole params.yaml of each by its name, all valid: nothing is to run, or to be written, before the last is. Raises ParamsError."""
    texts = {experiment.name: params_of(experiment, committed) for experiment in planned}
    for name, text in texts.items():
        try:
            check_params_text(text)
        except ParamsError as error:
            raise ParamsError(f"{name}: {error}") from None
    return texts


def committed_params() -> str:
    """The text of params.yaml from which every experiment of a study starts. Raises DermlabError."""
    text = git("show", f"HEAD:{paths.PARAMS}", check=False) if paths.PARAMS.exists() else ""
    if not text:
        raise DermlabError(
            f"HEAD holds no {paths.PARAMS}. A study starts from what is committed: run from the repository's root, and commit."
        )
    return text + "\n"
