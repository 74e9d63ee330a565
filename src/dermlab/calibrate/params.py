"""The knobs of `calibrate`."""

from typing import Annotated, Literal

from pydantic import Field

from dermlab.run.params import Block, Share, StageParams

Promise = Annotated[float, Field(gt=0, lt=1)]


class CalibrateParams(Block):
    adjust: Literal["none", "validation"]
    answer: Promise
    top3: Promise
    unfamiliar: Share


class Params(StageParams):
    seed: int
    calibrate: CalibrateParams
