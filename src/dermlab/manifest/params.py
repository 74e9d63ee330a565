"""The knobs of `manifest`."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from dermlab.run.params import Block, Count, Share, StageParams, nearest

VARIANTS = ("baseline", "relabeled", "cleaned", "agreed", "distributed", "softened", "rebalanced")  # their rules stand in `variants`


class ManifestParams(Block):
    ledger: str
    """The file of decisions that `relabeled` applies; a study names a simulated reviewer's."""
    other_ratio: Share
    """Share of `other` among the rows of train and of val."""
    guard: bool
    """`off` is the naive rule: every flagged row is dropped, every doubtful one softened, rare class or not."""
    max_drop: Share
    """With the guard: the share of a class that `cleaned` may drop, or `softened` give away. `agreed` is not bound by it."""
    min_count: Count
    """With the guard: no row is dropped from a class this small."""
    rebalance: Literal["sqrt", "effective", "balanced"]
    """Draw weights of `rebalanced`: by the square root of the class frequency, its `effective` number (Cui et al. 2019), or fully
    `balanced`."""
    beta: Annotated[float, Field(gt=0, lt=1)]
    """Of `effective`."""
    held_out: str
    """`none`, or `K/N`: fold K of N of the training rows is not trained on, and `evaluate` predicts it."""

    @property
    def fold(self) -> tuple[int, int] | None:
        """(K, N)."""
        if self.held_out == "none":
            return None
        fold, folds = self.held_out.split("/")
        return int(fold), int(folds)

    @field_validator("ledger")
    @classmethod
    def _is_of_the_repository(cls, value: str) -> str:
        """DVC takes it for a dependency of the stage: a file elsewhere would be read, and named in dvc.lock."""
        if not re.fullmatch(r"data/(?!.*\.\.)[\w.+ /-]+\.csv", value):
            raise ValueError(f"{value!r} is not valid. Valid: a .csv file below data/, such as data/relabels.csv")
        return value

    @field_validator("held_out")
    @classmethod
    def _is_a_fold(cls, value: str) -> str:
        found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", value)
        if value != "none" and not (found and 2 <= int(found[2]) >= int(found[1])):
            raise ValueError(f"{value!r} is not valid. Valid: none, or fold K of N as K/N, such as 2/5")
        return value


class Params(StageParams):
    variant: str
    """What is done to the training rows: `baseline`, nothing; `cleaned` drops flagged ones, under a guard; `agreed` drops the
    `hard` ones too, which the flags' classifier contradicts; `relabeled` applies the ledger; `distributed` trains each towards what all of
    its raters said; `softened` trains a doubtful row towards the given and the suggested label; `rebalanced` draws rare classes more often.
    Joined by `+`."""
    seed: Count
    manifest: ManifestParams

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(self.variant.split("+"))

    @field_validator("variant")
    @classmethod
    def _known_variants(cls, value: str) -> str:
        names = value.split("+")
        for name in names:
            if name not in VARIANTS:
                raise ValueError(f"{name!r} is not a variant{nearest(name, VARIANTS)} Valid: {', '.join(VARIANTS)}, joined by +")
        if len(set(names)) != len(names):
            raise ValueError(f"{value!r} names a variant twice")
        if "baseline" in names and len(names) > 1:
            raise ValueError(f"{value!r}: `baseline` changes nothing and joins with nothing. Leave it out")
        if {"cleaned", "agreed"} <= set(names):
            raise ValueError(f"{value!r}: `agreed` drops what `cleaned` does and more. Leave one of them out")
        return value
