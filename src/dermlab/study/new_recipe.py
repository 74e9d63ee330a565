"""A recipe written from words, for whoever never saw the file: `base focal:loss=focal,train.focal_gamma=3`."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from dermlab.run import paths
from dermlab.run.errors import ParamsError
from dermlab.run.files import write_text
from dermlab.run.params import parsed
from dermlab.study.recipe import BUDGET, Experiment, checked_params, committed_params, params_of, parse_recipe, valid_name

HEAD = """\
# The first experiment is the baseline. What is named neither by an experiment nor in `set`, for all, is as params.yaml is committed.
# Of several `seeds`, each experiment runs once a seed. docs/differences.md says more.
"""


def write_recipe(
    folder: Path, name: str, experiments: Sequence[str], settings: Sequence[str], seeds: Sequence[int], replace: bool
) -> list[Experiment]:
    """Writes NAME.yaml in `folder` and returns what a study of it runs. `experiments`: the baseline first, `NAME` or
    `NAME:key=value,key=value`; `settings`: `key=value`, for all. Raises ParamsError for what a study would refuse, before it writes."""
    path = folder / f"{valid_name(name, 'recipe')}.yaml"
    if path.exists() and not replace:
        raise ParamsError(f"There is a recipe {path} already. Take another name, or say --replace to write over it.")
    committed = committed_params()
    everywhere = _pairs("-S", settings)
    params_of(Experiment("-S", {key: value for key, value in everywhere.items() if key != BUDGET}), committed)
    own: dict[str, dict[str, Any]] = {}
    for said in experiments:
        called, _, values = said.partition(":")
        if valid_name(called, "experiment") in own:
            raise ParamsError(f"There are two experiments {called}. Give one of them another name.")
        own[called] = _pairs(called, values.split(",") if values else ())
    text = _text(own, everywhere, seeds)
    planned = parse_recipe(text, path)
    checked_params(planned, committed)
    _refuse_alike(planned, parsed(committed, paths.PARAMS))
    write_text(path, text)
    return planned


def _pairs(whose: str, said: Sequence[str]) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for pair in said:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value):
            raise ParamsError(
                f"{whose}: {pair!r} is not key=value, such as loss=focal. (A comma ends a value; one with a comma in it goes to all "
                "experiments with -S, or into the file by hand.)"
            )
        if key in pairs:
            raise ParamsError(f"{whose}: {key} is said twice. Leave out one of them.")
        pairs[key] = _value(value)
    return pairs


def _value(text: str) -> Any:
    """A number or true and false as YAML has them, which DVC reads; anything else is text as it stands, unless it is in quotes."""
    try:
        value = YAML(typ="safe").load(text)
    except (YAMLError, ValueError):  # ValueError: of a day that no month has
        return text
    quoted = isinstance(value, str) and text[0] in "'\""
    return value if quoted or isinstance(value, bool | int | float) else text


def _text(own: dict[str, dict[str, Any]], everywhere: dict[str, Any], seeds: Sequence[int]) -> str:
    recipe = CommentedMap()
    if seeds:
        recipe["seeds"] = CommentedSeq(seeds)
        recipe["seeds"].fa.set_flow_style()
    if everywhere:
        recipe["set"] = _line(everywhere)
    recipe["experiments"] = {name: _line(values) for name, values in own.items()}
    yaml = YAML()
    yaml.width = 4096  # a line an experiment
    with io.StringIO() as buffer:
        buffer.write(HEAD)
        yaml.dump(recipe, buffer)
        return buffer.getvalue()


def _line(values: dict[str, Any]) -> CommentedMap:
    line = CommentedMap(values)
    line.fa.set_flow_style()
    return line


def _refuse_alike(planned: Sequence[Experiment], committed: dict[str, Any]) -> None:
    """Runs of the same params would be taken for runs of one recipe."""
    base = dict(committed) | {
        f"{block}.{key}": value for block, of in committed.items() if isinstance(of, dict) for key, value in of.items()
    }
    seen: list[tuple[str, dict[str, Any]]] = []
    for experiment in planned:
        changed = {key: value for key, value in experiment.overrides.items() if base[key] != value}
        if other := next((name for name, its in seen if its == changed), None):
            raise ParamsError(f"{other} and {experiment.name} have the same params, so there is nothing to compare. Change one of them.")
        seen.append((experiment.name, changed))
