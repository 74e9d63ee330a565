"""The knobs of `flag`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from dermlab.model.names import BackboneName, reads_text
from dermlab.run.params import Block, Count, Positive, Share, StageParams, Whole, nearest

PROBS = ("oof", "in_sample")


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


AUTO = Literal["auto"]  # is found from the data
Texts = Annotated[str, AfterValidator(_at_least_one)]
Templates = Annotated[Texts, AfterValidator(_with_a_place_for_the_prompt)]


class FlagParams(Block):
    method: Literal["posterior", "confident_learning"]
    """The rule behind a flag: `posterior` (docs/flags.md), or `confident_learning`, which is plain cleanlab."""
    probs: str
    """Whose probabilities are judged: `oof`, out-of-fold by patient; `in_sample`; or `PATH.parquet@DIGEST`, a table made elsewhere, such
    as by `dermlab study oof-finetuned`."""
    folds: Annotated[Whole, Field(ge=2)]
    """How many folds the training patients are shared out over."""
    repeats: Positive
    """How often the folds are drawn anew; the mean is judged."""
    seed: Count
    """Of the folds."""
    l2: AUTO | Annotated[float, Field(gt=0)]
    """Penalty of the out-of-fold classifier on standardised features; `auto` chooses it by its out-of-fold log-loss."""
    expected_noise: AUTO | Annotated[float, Field(gt=0, lt=0.5)]
    """Share of wrong labels, such as 0.05, that a sampled review found (`dermlab review --sample 100`) or that is known; `auto` guesses it
    from the labels. For `posterior` alone."""
    precision: Annotated[float, Field(gt=0.5, lt=1)]
    """Share of the flagged rows that is to be wrong, by the rule's own estimate; higher flags fewer. For `posterior` alone."""
    neighbours: Annotated[Positive, Field(le=1000)]
    """How many nearest photos of other patients are asked for their labels; also those of the outlier score."""
    phash_bits: Annotated[Whole, Field(ge=0, le=16)]
    """Two photos whose perceptual hashes differ in at most so many bits may be copies."""
    max_leak: Share
    """Share of the training rows that may be copies of validation or test photos. They are left out; more of them stop the run (`dermlab
    pairs`)."""
    garbage: Literal["auto", "distance", "prompts"]
    """How photos without skin are found: `prompts`, where the backbone reads text; `distance` from the bulk of the photos; `auto`, prompts
    where they can be read."""
    skin_prompts: Texts
    """What a photo of skin may show, joined by `|`."""
    not_skin_prompts: Texts
    """What else a photo may show, joined by `|`; a wrong body part too, if you name it."""
    prompt_templates: Templates
    """Sentences that hold a prompt at `{}`, joined by `|`; each prompt is averaged over them."""

    @property
    def known_l2(self) -> float | None:
        return None if self.l2 == "auto" else self.l2

    @property
    def known_noise(self) -> float | None:
        return None if self.expected_noise == "auto" else self.expected_noise

    @field_validator("probs")
    @classmethod
    def _known_probs(cls, value: str) -> str:
        if value not in PROBS and not value.partition("@")[0].endswith(".parquet"):
            raise ValueError(f"{value!r} is not valid{nearest(value, PROBS)} Valid: {', '.join(PROBS)}, or PATH.parquet@DIGEST")
        return value


class Params(StageParams):
    backbone: BackboneName
    flag: FlagParams

    @field_validator("flag")
    @classmethod
    def _prompts_need_text(cls, value: FlagParams, earlier: ValidationInfo) -> FlagParams:
        backbone = earlier.data.get("backbone", "")
        if value.garbage == "prompts" and not reads_text(backbone):
            raise ValueError(
                f"garbage: prompts needs a backbone that reads text, and {backbone} does not. Valid with it: auto, distance; "
                "or choose a backbone that reads text: medsiglip, open_clip:<model>/<pretrained>"
            )
        return value
