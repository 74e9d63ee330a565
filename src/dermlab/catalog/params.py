"""The knobs of `catalog`."""

from typing import Annotated, Literal

from pydantic import Field

from dermlab.run.params import Block, Count, StageParams


class CatalogParams(Block):
    seed: Count
    """Of the patient split and of labels made wrong on purpose."""
    test_fraction: Annotated[float, Field(gt=0, lt=0.9)]
    """Share of the patients in the test split, where the source brings no split."""
    val_fraction: Annotated[float, Field(gt=0, lt=0.9)]
    """Share of the patients that are left in the validation split, also where the source brings train and test alone."""
    noise_rate: Annotated[float, Field(ge=0, lt=0.5)]
    """Share of the training labels made wrong on purpose, whole cases at a time, to score flags and policies where no truth
    is known."""
    noise_kind: Literal["uniform", "pairs"]
    """Which wrong label: `pairs`, each class takes the next commoner's errors; `uniform`, any other class."""


class Params(StageParams):
    catalog: CatalogParams
