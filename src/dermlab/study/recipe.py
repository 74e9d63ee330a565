"""A recipe, recipes/NAME.yaml: the experiments of a study and the params of each."""

import math
import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from dermlab.run import paths
from dermlab.run.errors import DermlabError, ParamsError
from dermlab.run.git import git
from dermlab.run.params import check_params_text, nearest, parsed, read_text, rewritten

# Less than git and DVC take: what needs no quotes in a shell, and what other verbs do not read as something else.
NAME = re.compile(r"(?!.*\.\.)\w([\w.+-]*[\w+-])?")
TAKEN = re.compile(r"(?i:workspace|head|(orig|fetch|merge|cherry_pick|revert|bisect)_head)|.*(?i:\.lock|\.parquet|\.yaml|-unfinished)")
LONGEST_NAME = 200  # bytes: a file is called so, with something behind it
MOST_SEEDS, MAX_SEED = 1000, 2**32 - 1  # what numpy takes
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


def valid_name(name: str, what: str) -> str:
    """`what`: experiment or recipe. Raises ParamsError."""
    if NAME.fullmatch(name) and not TAKEN.fullmatch(name) and len(name.encode()) <= LONGEST_NAME:
        return name
    hint = " Params come after a colon: NAME:key=value,key=value." if "=" in name else ""
    raise ParamsError(
        f"{name[:LONGEST_NAME]!r} cannot be the name of {'an' if what[0] in 'aeiou' else 'a'} {what}.{hint} Valid: letters, digits, - _ + "
        "and ., but neither `workspace` nor `HEAD`, nor a name that ends in .yaml, .lock, .parquet or -unfinished."
    )


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"the name {value!r} is no text. Write it in quotes: {str(value)!r}")
    try:
        return valid_name(value, "experiment")
    except ParamsError as error:
        raise ValueError(str(error).removesuffix(".")) from None


def _values(values: Any) -> dict[str, Any]:
    """Of one experiment or of `set`."""
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise ValueError(f" holds {reprlib.repr(values)}, which are no params. Write them as {{loss: focal, train.lr: 0.0003}}")
    for key, value in values.items():
        if not isinstance(key, str) or not key.isprintable():
            raise ValueError(f": {reprlib.repr(key)} is no param. Write the key as in params.yaml, such as train.lr")
        if key != BUDGET and (not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value))):
            raise ValueError(f": {key}: {reprlib.repr(value)} is not valid. Valid: a text, a number, on or off")
    budget = values.get(BUDGET)
    if BUDGET in values and not (isinstance(budget, int | float) and not isinstance(budget, bool) and 0 < budget <= 1):
        raise ValueError(f": {BUDGET}: {budget!r} is not valid. Valid: a share of the training rows, above 0 and up to 1")
    return dict(values)


def _seeds(value: Any) -> list[int]:
    if value is None:
        return []
    whole = isinstance(value, list) and all(type(seed) is int and 0 <= seed <= MAX_SEED for seed in value)
    if not whole or not 0 < len(value) <= MOST_SEEDS or len(set(value)) < len(value):
        raise ValueError(f": {reprlib.repr(value)} is not valid. Valid: a list of different whole numbers from 0, such as [17, 18, 19]")
    return value


Values = Annotated[dict[str, Any], BeforeValidator(_values)]


class _Recipe(BaseModel):
    """A recipe as it is written. A value that params.yaml does not take is refused with the whole params of its experiment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: Annotated[list[int], BeforeValidator(_seeds)] = Field(default_factory=list)
    set: Values = Field(default_factory=dict)
    experiments: Annotated[dict[Annotated[Any, AfterValidator(_name)], Values], Field(min_length=1)]


def read_recipe(path: Path, seeds: Sequence[int] = ()) -> list[Experiment]:
    """In order, the baseline first; with `seeds:` once a seed (`name-s18`), the first seed under the plain name. `seeds`: these instead.
    Raises ParamsError."""
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise ParamsError(f"There is no recipe {path}. Recipes there: {known}.")
    return parse_recipe(read_text(path), path, seeds)


def parse_recipe(text: str, path: Path, seeds: Sequence[int] = ()) -> list[Experiment]:
    """What stands in a recipe or is to stand there. `path`: what an error calls it. Raises ParamsError."""
    recipe = _written(text, path)
    parts = [("set", recipe.set), *recipe.experiments.items()]
    if recipe.seeds and (twice := next((name for name, values in parts if "seed" in values), None)):
        raise ParamsError(f"{path}: {twice}: seed is said twice: `seeds` sets it for every experiment. Leave out one of them.")
    planned = {name: {**recipe.set, **values} for name, values in recipe.experiments.items()}
    first, *others = seeds or recipe.seeds or [None]
    if first is not None:
        named = {name: {**values, "seed": first} for name, values in planned.items()}
        more = [(f"{name}-s{seed}", {**values, "seed": seed}) for seed in others for name, values in planned.items()]
        if taken := next((name for name, _ in more if name in named), None):
            raise ParamsError(
                f"{path}: {taken}: with its seed, an experiment would have the name of another (`NAME-s18` is the seed 18 of NAME). "
                "Rename one."
            )
        planned = named | dict(more)
    return [_experiment(name, values) for name, values in planned.items()]


def _written(text: str, path: Path) -> _Recipe:
    raw = parsed(text, path)
    if not isinstance(raw.get("experiments"), dict) or not raw["experiments"]:
        raise ParamsError(f"{path} must hold `experiments:`, a name and its overrides a line, the baseline first.")
    if unknown := set(raw) - set(_Recipe.model_fields):
        said = ", ".join(sorted(str(key) if str(key).isprintable() else repr(key) for key in unknown))
        raise ParamsError(f"{path}: {said} is not known. Valid: experiments, set, seeds.")
    try:
        return _Recipe.model_validate(raw)
    except ValidationError as error:
        said = [f"{_where(each['loc'])}{each['ctx']['error']}" for each in error.errors()]
        raise ParamsError(f"{path}: {'; '.join(said)}.") from None


def _where(location: tuple) -> str:
    """The experiment; of a name that is none the error says itself which it is."""
    return "" if "[key]" in location else str(location[-1])


def read_seeds(text: str) -> list[int]:
    """`17,18,19` or `17-24`; raises ParamsError."""
    seeds: list[int] = []
    for part in text.replace(" ", ",").split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        whole = first.isdecimal() and last.isdecimal() and max(len(first), len(last)) <= len(str(MAX_SEED))
        if not whole or not int(first) <= int(last) < min(int(first) + MOST_SEEDS, MAX_SEED + 1):
            raise ParamsError(f"--seeds {text!r}: write them as 17,18,19 or as 17-24.")
        seeds += range(int(first), int(last) + 1)
    if len(set(seeds)) < len(seeds):
        raise ParamsError(f"--seeds {text!r} names a seed twice.")
    return seeds


def _experiment(name: str, values: dict[str, Any]) -> Experiment:
    budget = values.pop(BUDGET, None)
    if budget is None:
        return Experiment(name, values)
    return Experiment(name, {**values, LEDGER: Experiment(name, values, float(budget)).ledger.as_posix()}, float(budget))


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
                elsewhere = " and ".join(f"{of}.{name}" for of, inside in values.items() if isinstance(inside, Mapping) and name in inside)
                meant = f" (did you mean {elsewhere}?)." if elsewhere else nearest(name, block)
                valid = ", ".join(block) or "nothing"
                raise ParamsError(f"{experiment.name}: {key} is not a param{meant} Valid there: {valid}")
            block[name] = value

    return rewritten(committed, override)


def checked_params(planned: Sequence[Experiment], committed: str) -> dict[str, str]:
    """The whole params.yaml of each by its name, all valid: nothing is to run, or to be written, before the last is. Raises ParamsError."""
    texts = {experiment.name: params_of(experiment, committed) for experiment in planned}
    for name, text in texts.items():
        try:
            check_params_text(text)
        except ParamsError as error:
            raise ParamsError(f"{name}: {str(error).removeprefix(f'{paths.PARAMS}: ')}") from None
    first: dict[str, str] = {}
    for name, text in texts.items():
        if (same := first.setdefault(text, name)) != name:
            raise ParamsError(f"{same} and {name} have the same params: one would be trained twice. Leave one out, or change its params.")
    return texts


def committed_params() -> str:
    """The text of params.yaml from which every experiment of a study starts. Raises DermlabError."""
    text = git("show", f"HEAD:{paths.PARAMS}", check=False) if paths.PARAMS.exists() else ""
    if not text:
        raise DermlabError(
            f"HEAD holds no {paths.PARAMS}. A study starts from what is committed: run from the repository's root, and commit."
        )
    return text + "\n"
