"""A model's folder: how its files are called, and what model.json says. Needs no torch.

A model may come from anybody. What it says is checked before anything is made of it: a size that nobody trains at would take all memory.
"""

import math
import reprlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from dermlab.data.classes import Classes
from dermlab.data.questionnaire import Questionnaire
from dermlab.model.names import LARGEST_IMAGE, BackboneName
from dermlab.run.errors import ContractError

FORMAT = 5
WITH_CALIBRATION = 4  # the format before: model.json and model.safetensors held the network and what validation chose
REFERENCE = "familiarity.reference"  # of that format, the one tensor beside those of the network
WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
CALIBRATION, FAMILIARITY = "calibration.json", "familiarity.safetensors"
LARGEST_FILE = 2**24  # bytes; that of 26 classes and 20 questions has 3,000
LARGEST_SIZE, MOST_LAYERS = 2**16, 512  # of anything in a backbone's configuration
# Keys of a configuration by which its library would fetch and run code.
FOREIGN = ("auto_map", "attn_implementation", "_attn_implementation", "experts_implementation", "_experts_implementation")
ELSEWHERE = ("hf-hub:", "hf_hub:", "local-dir:")  # timm reads a network's configuration from where a name says that begins like this
SUM = 1e-3  # by which shares of a prior, which are rounded, may sum to another number than 1


class Said(BaseModel):
    """Of a file of a model's folder. Strict: a number in quotes is none."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SaidTiers(Said):
    """As `scores.tiers.Tiers`, with what it takes for granted."""

    answer: Annotated[float, Field(ge=0)] | None = None
    top3: Annotated[float, Field(ge=0)] | None = None
    answer_promise: Annotated[float, Field(ge=0, le=1)] = 0.9
    top3_promise: Annotated[float, Field(ge=0, le=1)] = 0.9


Temperature = Annotated[float, Field(ge=0.01, le=100)]
Tau = Annotated[float, Field(ge=-10, le=10)]
Similarity = Annotated[float, Field(ge=-1.01, le=1.01)]  # a cosine, in half precision


def _harmless(value: Any, of: str = "config") -> Any:
    """A configuration of a backbone, or the part of it that is called `of`."""
    if of in FOREIGN and value is not None:
        raise ValueError(f"{of}: {value!r} would run code of others")
    if isinstance(value, str) and value.lower().startswith(ELSEWHERE):
        raise ValueError(f"{of}: {value!r} would fetch files of others")
    if isinstance(value, dict):
        for key, part in value.items():
            _harmless(part, key)
    elif isinstance(value, list):
        for part in value:
            _harmless(part, of)
    elif isinstance(value, int | float):
        most = MOST_LAYERS if any(word in of for word in ("layers", "depth", "blocks")) else LARGEST_SIZE
        if not abs(value) <= most or (of == "std" and value <= 0):
            raise ValueError(f"{of}: {value} is nothing that a network has")
    return value


class SaidBackbone(Said):
    name: BackboneName
    config: Annotated[dict[str, Any], AfterValidator(_harmless)]


class Description(Said):
    """model.json. The last four are of the format before."""

    format: Literal[5, 4]
    backbone: SaidBackbone
    image_size: Annotated[int, Field(ge=16, le=LARGEST_IMAGE)]
    classes: tuple[Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+$")], ...]
    questionnaire: Questionnaire
    prior: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    stored_side: Annotated[int, Field(ge=16, le=2**16)]
    recipe: dict[str, Any]
    temperature: Temperature | None = None
    tau: Tau | None = None
    tiers: SaidTiers | None = None
    familiarity: Similarity | None = None

    @model_validator(mode="after")
    def _fits_itself(self) -> Self:
        names = Classes(self.classes).names
        if len(self.prior) != len(names):
            raise ValueError(f"a prior of {len(self.prior)} shares does not fit {DESCRIPTION} of {len(names)} classes, `other` included")
        if abs(sum(self.prior) - 1) > SUM:
            raise ValueError(f"prior: the shares sum to {sum(self.prior):.6g}, not to 1")
        asked = [question.name for question in self.questionnaire]
        if len(set(asked)) < len(asked):
            raise ValueError("questionnaire: two questions have one name")
        for question in self.questionnaire:
            if not all(map(math.isfinite, (question.low, question.high, question.mean or 0, question.std or 1))):
                raise ValueError(f"questionnaire: {question.name}: its range is none")
        if self.format == WITH_CALIBRATION and None in (self.temperature, self.tau, self.tiers, self.familiarity):
            raise ValueError(f"temperature, tau, tiers and familiarity belong to format {WITH_CALIBRATION}")
        return self


AnySaid = TypeVar("AnySaid", bound=Said)


def read_description(folder: Path) -> Description:
    """What model.json says. Raises ContractError for a format that this version does not read, and for what no training wrote."""
    return read_said(folder / DESCRIPTION, Description, "train")


def read_said(path: Path, model: type[AnySaid], stage: str) -> AnySaid:
    """A JSON file of the folder that `stage` writes, checked. Raises ContractError."""
    back = f"Restore it: `dvc checkout {stage}`. A model of elsewhere: get it again from where it came."
    if not path.exists():
        raise ContractError(f"{path} does not exist. Run the stage that writes it: `dvc repro {stage}`.")
    if not path.is_file():
        raise ContractError(f"{path} is no file. {back}")
    if path.stat().st_size > LARGEST_FILE:
        raise ContractError(f"{path} has {path.stat().st_size:,} bytes, more than a description ever has. {back}")
    try:
        return model.model_validate_json(path.read_bytes())
    except ContractError as error:
        raise ContractError(f"{path}: {error} {back}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        if where == "format":
            raise ContractError(
                f"{path} has format {first['input']!r}; this version reads {WITH_CALIBRATION} and {FORMAT}. Train it again (`dvc repro "
                "train`), or use it with the version that made it: `git checkout` the commit it came from."
            ) from None
        got = "" if first["type"] in ("missing", "json_invalid", "value_error") else f" {reprlib.repr(first['input'])} is not valid:"
        said = f"{where}{':' if where else ''}{got} {first['msg'].removeprefix('Value error, ')}".strip()
        raise ContractError(f"{path}: {said}. {back}") from None


def unfit(path: Path, error: Exception) -> ContractError:
    return ContractError(
        f"{path} is missing, truncated or does not fit {DESCRIPTION} ({' '.join(str(error).split())[:300]}). Restore it: "
        f"`dvc checkout {'calibrate' if path.name in (CALIBRATION, FAMILIARITY) else 'train'}`."
    )
