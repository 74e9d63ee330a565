"""The knobs of `pull`."""

from typing import Annotated

from pydantic import Field

from dermlab.run.params import Block, Positive, Share, StageParams, Whole


class PullParams(Block):
    image_size: Annotated[Whole, Field(ge=32)]
    """Shorter side of a stored photo, in pixels; smaller ones are stored as they are."""
    max_pixels: Positive
    """Larger photos are quarantined before they are decoded."""
    max_quarantine: Share
    """Share of broken photos above which `pull` fails."""


class Params(StageParams):
    pull: PullParams
