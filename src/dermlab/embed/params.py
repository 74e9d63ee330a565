"""The knobs of `embed`."""

from typing import Annotated

from pydantic import Field

from dermlab.data.params import Block, StageParams, Whole
from dermlab.model.names import BackboneName


class EmbedParams(Block):
    image_size: Annotated[Whole, Field(ge=32)]


class Params(StageParams):
    backbone: BackboneName
    embed: EmbedParams
