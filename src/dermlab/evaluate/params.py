"""The knobs of `evaluate`."""

from typing import Annotated, Literal

from pydantic import Field

from dermlab.run.params import Block, Positive, StageParams, Whole


class EvaluateParams(Block):
    tta: Literal["none", "flip", "crops"]
    ece_bins: Positive
    bootstrap: Annotated[Whole, Field(ge=100)]


class Params(StageParams):
    evaluate: EvaluateParams
