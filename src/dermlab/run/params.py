"""params.yaml, read into frozen models. An unknown key or choice is an error that lists what is valid.

The knobs of a stage are a model in its own package (`dermlab.train.params`), so that a new knob of `train` reruns `train` and nothing
before it. Here stands what these models share.
"""

import difflib
import io
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dermlab.run import paths
from dermlab.run.errors import ParamsError

MOST_NESTED = 10_000  # brackets and dashes of a YAML text: its reader calls itself for each that is open, and the process dies of too many
STAGES = ("catalog", "pull", "embed", "flag", "manifest", "train", "calibrate", "evaluate", "report")


def _whole(value: Any) -> Any:
    """`-S seed=1e3` writes 1000.0: another value than 1000 for whoever compares params as text."""
    if isinstance(value, bool | float):
        also = f", such as {value:.0f}" if isinstance(value, float) and value.is_integer() else ""
        raise ValueError(f"{str(value).lower()} is not valid. Valid: a whole number{also}")
    return value


Whole = Annotated[int, BeforeValidator(_whole)]
Positive = Annotated[Whole, Field(ge=1)]
Count = Annotated[Whole, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Block(BaseModel):
    """A block of params.yaml, such as `train:`. What stands below a field says what the knob does; docs/knobs.md is made of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class StageParams(BaseModel):
    """What one stage reads of params.yaml: top-level keys and its own block. Keys of other stages are theirs to check."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, use_attribute_docstrings=True)


AnyParams = TypeVar("AnyParams", bound=BaseModel)


def choice_of(valid: Sequence[str]) -> AfterValidator:
    """One of some words."""

    def check(value: str) -> str:
        if value not in valid:
            raise ValueError(f"{value!r} is not valid{nearest(value, valid)} Valid: {', '.join(valid)}")
        return value

    return AfterValidator(check)


def read_params(model: type[AnyParams], path: Path = paths.PARAMS) -> AnyParams:
    """The part of params.yaml that `model` names. Raises ParamsError naming the first wrong key or value and what is valid there."""
    return validated(model, _read(path), path)


def check_params(path: Path = paths.PARAMS) -> dict[str, Any]:
    """The whole of params.yaml as plain values, every stage's part checked. Raises ParamsError."""
    raw = _read(path)
    _check_all(raw, path)
    return raw


def check_params_text(text: str) -> dict[str, Any]:
    """As `check_params`, of what is to become params.yaml or once was. Raises ParamsError."""
    raw = parsed(text, paths.PARAMS)
    _check_all(raw, paths.PARAMS)
    return raw


def models() -> dict[str, type[StageParams]]:
    """Stage -> the model of what it reads. Looked up by name, not imported: a refusal is no result, so that a stage which checks the
    whole file does not depend on the knobs of the others."""
    return {stage: import_module(f"dermlab.{stage}.params").Params for stage in STAGES}


def _read(path: Path) -> dict[str, Any]:
    if not Path(path).exists():
        raise ParamsError(f"{path} does not exist. Run from the repository's root, or restore it: `git checkout {path}`.")
    return parsed(read_text(path), path)


def read_text(path: Path) -> str:
    """Of a file that a person writes. Raises ParamsError where it is no UTF-8, or no file."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")  # some editors begin with a byte order mark
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ParamsError(f"{path}, line {line}: byte {error.start} is not UTF-8. Save the file as UTF-8.") from error
    except OSError as error:
        raise ParamsError(f"{path} cannot be read: {error.strerror}.") from error


def parsed(text: str, path: Path | str) -> dict[str, Any]:
    """Keys and values of a YAML text. `path`: what an error calls it. Raises ParamsError."""
    if sum(text.count(opened) for opened in ("[", "{", "- ", "? ")) > MOST_NESTED:
        raise ParamsError(f"{path} holds more than {MOST_NESTED:,} lists and blocks. That is no file of params: restore it.")
    try:
        raw = YAML(typ="safe").load(text)  # YAML 1.2, as DVC reads it: `off` is a word
    except YAMLError as error:
        raise ParamsError(f"{path} is not valid YAML: {_of_yaml(error)}") from error
    except Exception as error:  # a tag makes its reader raise whatever the value makes it raise
        raise ParamsError(f"{path} is not valid YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(raw, dict):
        raise ParamsError(f"{path} must hold keys and values.")
    return raw


def _of_yaml(error: YAMLError) -> str:
    """With the line, and without what the library says of itself."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if problem and mark else " ".join(str(error).split())


def rewritten(text: str, change: Callable[[Any], None]) -> str:
    """A YAML text with its values changed in place, comments and quotes as they are. Raises YAMLError."""
    yaml = YAML()
    yaml.width = 4096  # a long line stays one
    yaml.preserve_quotes = True
    values = yaml.load(text)
    change(values)
    with io.StringIO() as buffer:
        yaml.dump(values, buffer)
        return buffer.getvalue()


def _check_all(raw: dict[str, Any], path: Path) -> None:
    known: set[str] = {"machine"}
    for model in (*models().values(), import_module("dermlab.review.params").Params):
        validated(model, raw, path)
        known |= set(model.model_fields)
    if unknown := [key for key in raw if key not in known]:
        raise ParamsError(f"{path}: {unknown[0]} is not a param{nearest(str(unknown[0]), known)} Valid here: {', '.join(sorted(known))}")
    for stage in STAGES:
        check_across = getattr(import_module(f"dermlab.{stage}.params"), "check_across", None)
        try:
            if check_across:
                check_across(raw)
        except ValueError as error:
            raise ParamsError(f"{path}: {error}.") from None


def validated(model: type[AnyParams], raw: dict[str, Any], path: Path) -> AnyParams:
    """The part of `raw` that `model` names. `path`: what an error calls it. Raises ParamsError."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        by_field = groupby(error.errors(), lambda each: _field(each, model))
        raise ParamsError(f"{path}: " + "; ".join(_explain(where, model, *errors) for where, errors in by_field)) from None


def _field(error: dict[str, Any], model: Any) -> tuple:
    """The names in the location of an error: behind a field that may be of several types, pydantic names each of them."""
    names = error["loc"]
    for depth, name in enumerate(names):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return names[:depth]
        model = model.model_fields[name].annotation if name in model.model_fields else model
    return names


def _explain(names: tuple, model: type[BaseModel], error: dict[str, Any], *others: dict[str, Any]) -> str:
    """`others`: what is wrong with the value by the other types that it might be of."""
    return "; or ".join([_said(names, model, error), *(other["msg"].lower() for other in others)])


def _said(names: tuple, model: type[BaseModel], error: dict[str, Any]) -> str:
    where = ".".join(str(name) for name in names)
    got = error.get("input")
    match error["type"]:
        case "extra_forbidden":
            valid = _valid_keys(names[:-1], model)
            return f"{where} is not a param{nearest(str(names[-1]), valid)} Valid here: {', '.join(valid)}"
        case "missing":
            return f"{where} is missing. Restore it: `git checkout params.yaml`"
        case "literal_error":
            valid = [choice.strip("' ") for choice in error["ctx"]["expected"].replace(" or ", ", ").split(", ")]
            return f"{where}: {got!r} is not valid{nearest(str(got), valid)} Valid: {', '.join(valid)}"
        case "value_error":
            return f"{where}: {error['ctx']['error']}"
        case _:
            return f"{where}: {reprlib.repr(got)} is not valid: {error['msg'].lower()}"


def _valid_keys(location: tuple, model: type[BaseModel]) -> list[str]:
    for part in location:
        model = model.model_fields[part].annotation
    return list(model.model_fields)


def flat(params: Mapping) -> dict[str, Any]:
    """`{"train": {"lr": 1}}` as `{"train.lr": 1}`, without the blocks that change no prediction: what is reported, and by what machine."""
    values = {}
    for key, value in params.items():
        if isinstance(value, Mapping):
            values |= {f"{key}.{name}": item for name, item in value.items()} if key not in ("report", "review", "machine") else {}
        else:
            values[key] = value
    return values


def changed_params(baseline: Mapping, other: Mapping) -> dict[str, tuple[Any, Any]]:
    """Dotted param -> (baseline's value, the other's), where they differ."""
    old, new = flat(baseline), flat(other)
    return {key: (old.get(key), new.get(key)) for key in [*old, *(k for k in new if k not in old)] if old.get(key) != new.get(key)}


def nearest(word: str, valid: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(valid), n=1)
    return f" (did you mean {close[0]}?)." if close else "."
