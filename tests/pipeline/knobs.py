"""docs/knobs.md, made of the params models: `make deps` writes it, a test compares."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML

from dermlab.review.params import ReviewParams
from dermlab.run.machine import Machine
from dermlab.run.params import STAGES, Block

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "knobs.md"
TOP = {"variant": "manifest", "loss": "train", "backbone": "train", "seed": "train"}  # the stage whose model describes it
HEAD = """\
# Knobs

Every key of `params.yaml`: its value as committed, what is valid, what it does. `make deps` writes this page from the params models
(`src/dermlab/<stage>/params.py`). An unknown key or choice is refused before any stage spends time, with the valid ones:
`-S loss=focl` says *did you mean focal?*

What people sweep stands at the top: `dvc exp run -S loss=focal`. A knob of a stage is written with its name: `-S train.lr=0.0003`.
"""
HOW = """\
How the work is done, not what comes of it: no stage depends on these. `DERMLAB_WORKERS=8` and the like come before them.
"""
OF_READERS = """\
How `data/relabels.csv` is concluded from readers' answers: the stages see that file, and not these.
"""


def page() -> str:
    values = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    models = {stage: import_module(f"dermlab.{stage}.params").Params for stage in STAGES}
    parts = [HEAD, table((name, models[stage].model_fields[name], values[name]) for name, stage in TOP.items())]
    for stage in STAGES:
        block = models[stage].model_fields[stage].annotation
        parts += [f"## {stage}\n", table(fields_of(block, values[stage]))]
    parts += ["## review\n", OF_READERS, table(fields_of(ReviewParams, values["review"]))]
    parts += ["## machine\n", HOW, table(fields_of(Machine, values["machine"]))]
    return "\n".join(parts)


def fields_of(block: type[Block], values: dict[str, Any]) -> Iterator[tuple[str, FieldInfo, Any]]:
    for name, field in block.model_fields.items():
        yield name, field, values[name]


def table(rows: Iterator[tuple[str, FieldInfo, Any]]) -> str:
    cells = [("knob", "value", "valid", "what it does")]
    for name, field, value in rows:
        assert field.description, f"{name}: say below the field what it does"
        cells.append((f"`{name}`", shown(value), ", ".join(valid(field.annotation, field.metadata)), " ".join(field.description.split())))
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
    return "\n".join([lines[0], "|---|---|---|---|", *lines[1:], ""])


def shown(value: Any) -> str:
    """Long texts are in params.yaml."""
    text = ("on" if value else "off") if isinstance(value, bool) else str(value)
    return "(texts)" if len(text) > 40 else f"`{text}`"


def valid(kind: Any, metadata: list) -> list[str]:
    """In words: the choices, or the kind of number with its bounds."""
    if get_origin(kind) is Annotated:
        kind, *more = get_args(kind)
        return valid(kind, [*more, *metadata])
    if get_origin(kind) is Literal:
        return [f"`{choice}`" for choice in get_args(kind)]
    if get_args(kind) and not isinstance(kind, type):  # one of several kinds
        return [said for one in get_args(kind) for said in valid(one, metadata)]
    metadata = [part for item in metadata for part in (getattr(item, "metadata", None) or [item])]
    bounds = [f"{sign} {getattr(item, name):g}" for kind_of, name, sign in BOUNDS for item in metadata if isinstance(item, kind_of)]
    return [f"{NAMES.get(kind, 'text')} {' and '.join(bounds)}".strip()]


BOUNDS = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))
NAMES = {bool: "`on`, `off`", int: "whole number", float: "number"}


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
