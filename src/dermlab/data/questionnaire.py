"""The questionnaire's schema: which questions there are and which answers each may have.

In every table a question named `itching` is the column `q_itching`: a string (`choice`), a list of strings (`multi`)
or a float (`number`). Null means not answered.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from dermlab.data.json_files import read_json
from dermlab.run import paths
from dermlab.run.errors import ParamsError
from dermlab.run.files import write_text
from dermlab.run.params import nearest

if TYPE_CHECKING:
    import pyarrow as pa

PREFIX = "q_"


class Question(BaseModel):
    """`choices`: the answers of a choice or multi question; `low`, `high`: the range of a number, which answers are clipped to; `mean`,
    `std`: of a number over the training rows that answered, None before anything was trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["choice", "multi", "number"]
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    mean: float | None = None
    std: Annotated[float, Field(gt=0)] | None = None

    @property
    def column(self) -> str:
        return PREFIX + self.name

    @property
    def field(self) -> "pa.Field":
        import pyarrow as pa

        return pa.field(self.column, {"choice": pa.string(), "multi": pa.list_(pa.string()), "number": pa.float64()}[self.kind])

    @property
    def width(self) -> int:
        """Numbers the encoded answer takes: one a choice (or the scaled number), and one for `not answered`."""
        return (1 if self.kind == "number" else len(self.choices)) + 1


Questionnaire = tuple[Question, ...]
_ADAPTER = TypeAdapter(Questionnaire)


def chosen(questions: Questionnaire, wanted: str) -> Questionnaire:
    """`all`, `none`, or the names of some joined by |, in the order of the schema. Raises ParamsError for a name that is no question."""
    if wanted in ("all", "none"):
        return questions if wanted == "all" else ()
    known = [question.name for question in questions]
    names = [part.strip() for part in wanted.split("|") if part.strip()]
    for name in names:
        if name not in known:
            raise ParamsError(
                f"train.questions: {name!r} is not valid{nearest(name, known)} Valid: all, none, or some of these joined by |: "
                f"{', '.join(known)}"
            )
    return tuple(question for question in questions if question.name in names)


def write_questionnaire(path: Path, questions: Questionnaire) -> None:
    """Numbers as they are: a rounded range would clip the answers at its ends."""
    write_text(path, json.dumps(as_json(questions), indent=2, ensure_ascii=False) + "\n")


def questionnaire_from(value: list[dict]) -> Questionnaire:
    return _ADAPTER.validate_python(value)


def read_questionnaire(path: Path = paths.SOURCE / "questionnaire.json") -> Questionnaire:
    return questionnaire_from(read_json(path, list))


def as_json(questions: Questionnaire) -> list[dict]:
    return _ADAPTER.dump_python(questions, mode="json", exclude_none=True)
