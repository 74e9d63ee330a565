"""params.yaml, read once into frozen models. An unknown key or choice is an error that lists what is valid."""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dermlab.data import paths
from dermlab.data.errors import ParamsError

Loss = Literal["ce", "focal", "bce", "balanced_softmax", "logit_adjusted"]
Variant = Literal["baseline", "cleaned", "relabeled", "rebalanced"]
VARIANTS: tuple[str, ...] = get_args(Variant)
PROBS = ("oof", "in_sample")
BACKBONES = ("lite0", "medsiglip", "open_clip:<model>/<pretrained>", "timm:<name>", "hf:<name>")
WITHOUT_TEXT = ("lite0", "timm")  # families of backbones that have no text tower beside the image tower


def _no_truth_value(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is not valid. Valid: a whole number")
    return value


Whole = Annotated[int, BeforeValidator(_no_truth_value)]  # for pydantic alone, `true` is 1
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[Whole, Field(ge=1)]
Count = Annotated[Whole, Field(ge=0)]


def joined(value: str) -> tuple[str, ...]:
    """The texts that a knob joins by `|`: params.yaml holds no lists, which `-S` would reformat."""
    return tuple(part.strip() for part in value.split("|") if part.strip())


def _at_least_one(value: str) -> str:
    if not joined(value):
        raise ValueError(f"{value!r} holds no text. Valid: one or more texts joined by |, such as `a rash | a mole`")
    return value


def _with_a_place_for_the_prompt(value: str) -> str:
    for template in joined(value):
        if "{}" not in template:
            raise ValueError(f"{template!r} has no place for the prompt. Valid: texts with {{}}, joined by |, such as `a photo of {{}}`")
    return value


Texts = Annotated[str, AfterValidator(_at_least_one)]
Templates = Annotated[Texts, AfterValidator(_with_a_place_for_the_prompt)]


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PullParams(_Block):
    images: Annotated[Whole, Field(ge=200)]
    seed: Count
    test_fraction: Annotated[float, Field(gt=0, lt=0.9)]
    val_fraction: Annotated[float, Field(gt=0, lt=0.9)]
    image_size: Annotated[Whole, Field(ge=32)]
    max_pixels: Positive
    max_quarantine: Share
    noise_rate: Annotated[float, Field(ge=0, lt=0.5)]
    noise_kind: Literal["uniform", "pairs"]
    workers: Count
    image_column: str
    label_column: str
    patient_column: str
    case_column: str
    split_column: str
    min_class_count: Positive


class EmbedParams(_Block):
    image_size: Annotated[Whole, Field(ge=32)]
    batch_size: Positive


class FlagParams(_Block):
    method: Literal["posterior", "confident_learning"]
    probs: str
    folds: Annotated[Whole, Field(ge=2)]
    repeats: Positive
    seed: Count
    l2: Annotated[float, Field(gt=0)]
    expected_noise: Annotated[float, Field(gt=0, lt=0.5)]
    neighbours: Positive
    phash_bits: Annotated[Whole, Field(ge=0, le=16)]
    max_leak: Share
    garbage: Literal["auto", "distance", "prompts"]
    skin_prompts: Texts
    not_skin_prompts: Texts
    prompt_templates: Templates

    @field_validator("probs")
    @classmethod
    def _known_probs(cls, value: str) -> str:
        if value not in PROBS and not value.partition("@")[0].endswith(".parquet"):
            raise ValueError(f"{value!r} is not valid{_nearest(value, PROBS)} Valid: {', '.join(PROBS)}, or PATH.parquet@DIGEST")
        return value


class ManifestParams(_Block):
    other_ratio: Share
    guard: bool
    max_drop: Share
    min_count: Count
    rebalance: Literal["sqrt", "effective", "balanced"]
    beta: Annotated[float, Field(gt=0, lt=1)]


class TrainParams(_Block):
    frozen_epochs: Count
    finetune_epochs: Count
    batch_size: Annotated[Whole, Field(ge=2)]
    head_lr: Annotated[float, Field(gt=0)]
    lr: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup: Share
    trainable_blocks: Count
    dropout: Share
    question_dropout: Share
    label_smoothing: Share
    focal_gamma: Annotated[float, Field(ge=0)]
    logit_tau: Annotated[float, Field(ge=0)]
    precision: Literal["auto", "fp32", "bf16"]
    workers: Count


class EvaluateParams(_Block):
    batch_size: Positive
    tta: Literal["none", "flip"]
    ece_bins: Positive


class ReportParams(_Block):
    examples: Count
    bootstrap: Annotated[Whole, Field(ge=100)]


class Params(_Block):
    variant: str
    loss: Loss
    backbone: str
    seed: Count
    pull: PullParams
    embed: EmbedParams
    flag: FlagParams
    manifest: ManifestParams
    train: TrainParams
    evaluate: EvaluateParams
    report: ReportParams

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(self.variant.split("+"))

    @property
    def prompts_may_be_used(self) -> bool:
        """For an `hf` backbone on `auto`, the model's configuration decides."""
        return self.flag.garbage != "distance" and self.backbone.partition(":")[0] not in WITHOUT_TEXT

    @field_validator("variant")
    @classmethod
    def _known_variants(cls, value: str) -> str:
        names = value.split("+")
        for name in names:
            if name not in VARIANTS:
                raise ValueError(f"{name!r} is not a variant{_nearest(name, VARIANTS)} Valid: {', '.join(VARIANTS)}, joined by +")
        if len(set(names)) != len(names):
            raise ValueError(f"{value!r} names a variant twice")
        if "baseline" in names and len(names) > 1:
            raise ValueError(f"{value!r}: `baseline` changes nothing, so nothing is joined to it. Leave it out")
        return value

    @field_validator("backbone")
    @classmethod
    def _known_backbone(cls, value: str) -> str:
        family, _, name = value.partition(":")
        plain = value in ("lite0", "medsiglip")
        qualified = family in ("open_clip", "timm", "hf") and bool(name) and (family != "open_clip" or "/" in name)
        if not (plain or qualified):
            raise ValueError(f"{value!r} is not a backbone. Valid: {', '.join(BACKBONES)}")
        return value

    @field_validator("flag")
    @classmethod
    def _prompts_need_text(cls, value: FlagParams, earlier: ValidationInfo) -> FlagParams:
        backbone = earlier.data.get("backbone", "")
        if value.garbage == "prompts" and backbone.partition(":")[0] in WITHOUT_TEXT:
            raise ValueError(
                f"garbage: prompts needs a backbone that reads text, and {backbone} does not. Valid with it: auto, distance; "
                "or choose a backbone that reads text: medsiglip, open_clip:<model>/<pretrained>"
            )
        return value


def read_params(path: Path = paths.PARAMS) -> Params:
    """Raises ParamsError naming the first wrong key or value and what is valid there."""
    try:
        raw = YAML(typ="safe").load(Path(path).read_text(encoding="utf-8"))  # YAML 1.2, as DVC reads it: `off` is a word
    except FileNotFoundError as error:
        raise ParamsError(f"{path} does not exist. Run from the repository's root, or restore it: `git checkout {path}`.") from error
    except YAMLError as error:
        raise ParamsError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise ParamsError(f"{path} must hold keys and values.")
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        raise ParamsError(f"{path}: " + "; ".join(_explain(e) for e in error.errors())) from None


def _explain(error: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    got = error.get("input")
    match error["type"]:
        case "extra_forbidden":
            valid = _valid_keys(error["loc"][:-1])
            return f"{where} is not a param{_nearest(str(error['loc'][-1]), valid)} Valid here: {', '.join(valid)}"
        case "missing":
            return f"{where} is missing. Restore it: `git checkout params.yaml`"
        case "literal_error":
            valid = [choice.strip("' ") for choice in error["ctx"]["expected"].replace(" or ", ", ").split(", ")]
            return f"{where}: {got!r} is not valid{_nearest(str(got), valid)} Valid: {', '.join(valid)}"
        case "value_error":
            return f"{where}: {error['ctx']['error']}"
        case _:
            return f"{where}: {got!r} is not valid: {error['msg'].lower()}"


def _valid_keys(location: tuple) -> list[str]:
    model: type[BaseModel] = Params
    for part in location:
        model = model.model_fields[part].annotation
    return list(model.model_fields)


def _nearest(word: str, valid: list[str] | tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word, valid, n=1)
    return f" (did you mean {close[0]}?)." if close else "."
