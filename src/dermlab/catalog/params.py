"""The knobs of `catalog`."""

from typing import Annotated, Literal

from pydantic import Field

from dermlab.run.params import Block, Count, StageParams


class CatalogParams(Block):
    seed: Count
    test_fraction: Annotated[float, Field(gt=0, lt=0.9)]
    val_fraction: Annotated[float, Field(gt=0, lt=0.9)]
    noise_rate: Annotated[float, Field(ge=0, lt=0.5)]
    noise_kind: Literal["uniform", "pairs"]


class Params(StageParams):
    catalog: CatalogParams
