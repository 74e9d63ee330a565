"""The knobs of `embed`."""

from typing import Annotated, Any

from pydantic import Field

from dermlab.model.names import LARGEST_IMAGE, BackboneName
from dermlab.run.params import Block, StageParams, Whole

MEDSIGLIP, PATCH = "medsiglip", 14


class EmbedParams(Block):
    image_size: Annotated[Whole, Field(ge=32, le=LARGEST_IMAGE)]
    """Side in pixels of the square that the backbone sees, in training and at test."""


class Params(StageParams):
    backbone: BackboneName
    embed: EmbedParams


def check_across(raw: dict[str, Any]) -> None:
    """Raises ValueError where the sizes of several stages do not fit each other. `raw`: the whole of params.yaml, each part checked."""
    backbone, stored, seen = raw["backbone"], raw["pull"]["image_size"], raw["embed"]["image_size"]
    if backbone == MEDSIGLIP and (seen % PATCH or seen < 224):
        raise ValueError(
            f"embed.image_size: {seen} is not for {MEDSIGLIP}, which reads patches of {PATCH} px and was trained at 448 px. Take a recipe "
            "that states all it needs: `dermlab study medsiglip-h100` (or -224, -scout), `dvc exp run $(dermlab recipe medsiglip-h100)`"
        )
    if stored < seen:
        raise ValueError(
            f"embed.image_size: {seen} is more than the stored photos have (pull.image_size: {stored}); enlarging adds nothing. Set "
            f"pull.image_size={seen} too, which pulls again, or lower embed.image_size"
        )
