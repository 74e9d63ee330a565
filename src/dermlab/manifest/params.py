"""The knobs of `manifest`."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from dermlab.run.params import Block, Count, Share, StageParams, nearest

VARIANTS = ("baseline", "relabeled", "cleaned", "softened", "rebalanced")  # their rules stand in `variants`


class ManifestParams(Block):
    """`ledger`: the file of decisions that `relabeled` applies; a study names a simulated reviewer's. `held_out`: none, or K/N, the
    held-out fold K of N of the training rows, which the model is to predict and not to see."""

    ledger: Annotated[str, Field(pattern=r"^data/.+\.csv$")]
    other_ratio: Share
    guard: bool
    max_drop: Share
    min_count: Count
    rebalance: Literal["sqrt", "effective", "balanced"]
    beta: Annotated[float, Field(gt=0, lt=1)]
    held_out: str

    @property
    def fold(self) -> tuple[int, int] | None:
        """(K, N)."""
        if self.held_out == "none":
            return None
        fold, folds = self.held_out.split("/")
        return int(fold), int(folds)

    @field_validator("held_out")
    @classmethod
    def _is_a_fold(cls, value: str) -> str:
        found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", value)
        if value != "none" and not (found and 2 <= int(found[2]) >= int(found[1])):
            raise ValueError(f"{value!r} is not valid. Valid: none, or fold K of N as K/N, such as 2/5")
        return value


class Params(StageParams):
    variant: str
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
        return value
