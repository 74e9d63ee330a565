"""The knobs of `evaluate`."""

from typing import Literal

from dermlab.data.params import Block, Positive, StageParams


class EvaluateParams(Block):
    tta: Literal["none", "flip", "crops"]
    adjust: Literal["none", "validation"]
    ece_bins: Positive


class Params(StageParams):
    evaluate: EvaluateParams
