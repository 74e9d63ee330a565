"""What is asked of an experiment, before its result is known: the block `report` of params.yaml."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dermlab.data.group_names import group_names
from dermlab.report.params import JUDGED
from dermlab.run import paths
from dermlab.run.errors import ParamsError
from dermlab.run.params import nearest
from dermlab.scores.differences import ALPHA


@dataclass(frozen=True)
class Question:
    primary: str = "top1"  # the score that is to become better
    guarded: str = "rare_recall"  # the score that may not become worse; the name of a group of classes stands for its sensitivity
    margin: float = 0.01  # the loss that would not matter, of both
    alpha: float = ALPHA  # share of no differences that may be taken for some


def asked(text: str | None = None) -> Question:
    """As params.yaml of the working folder says, or its `text` of another commit; as this repository began with, where either says
    nothing, as beside somebody's predictions. Raises ParamsError."""
    if text is None:
        text = paths.PARAMS.read_text(encoding="utf-8") if paths.PARAMS.exists() else ""
    try:
        params = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise ParamsError(f"{paths.PARAMS} is not valid YAML: {' '.join(str(error).split())}") from error
    block = params.get("report") if isinstance(params, dict) else None
    known = {key: block[key] for key in ("primary", "guarded", "margin") if isinstance(block, dict) and key in block}
    check_question(known)
    return Question(**known)


def check_question(block: Mapping[str, Any]) -> None:
    """Raises ParamsError."""
    question = {**asdict(Question()), **block}
    for key in ("primary", "guarded"):
        valid = (*JUDGED, *(group_names() if key == "guarded" else ()))
        if question[key] not in valid:
            raise ParamsError(f"report.{key}: {question[key]!r} is not valid{nearest(str(question[key]), valid)} Valid: {', '.join(valid)}")
    if question["primary"] == question["guarded"]:
        raise ParamsError(
            f"report.primary and report.guarded are both {question['primary']}: what is to become better is guarded by itself."
        )
    if not isinstance(question["margin"], float | int) or not 0 < question["margin"] < 0.5:
        raise ParamsError(f"report.margin: {question['margin']!r} is not valid: a share above 0 and below 0.5, such as 0.01 for a point")
