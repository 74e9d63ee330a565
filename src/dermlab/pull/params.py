"""The knobs of `pull`."""

from typing import Annotated

from pydantic import Field

from dermlab.run.params import Block, Positive, Share, StageParams, Whole


class PullParams(Block):
    image_size: Annotated[Whole, Field(ge=32)]
    max_pixels: Positive
    max_quarantine: Share


class Params(StageParams):
    pull: PullParams
