"""The knobs of `manifest`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from dermlab.data.params import Block, Count, Share, StageParams, nearest


class ManifestParams(Block):
    """`ledger`: the file of decisions that `relabeled` applies; a study names a simulated reviewer's."""

    ledger: Annotated[str, Field(pattern=r"^data/.+\.csv$")]
    other_ratio: Share
    guard: bool
    max_drop: Share
    min_count: Count
    rebalance: Literal["sqrt", "effective", "balanced"]
    beta: Annotated[float, Field(gt=0, lt=1)]


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
        from dermlab.manifest.variants import VARIANTS  # which imports this file

        names = value.split("+")
        for name in names:
            if name not in VARIANTS:
                raise ValueError(f"{name!r} is not a variant{nearest(name, VARIANTS)} Valid: {', '.join(VARIANTS)}, joined by +")
        if len(set(names)) != len(names):
            raise ValueError(f"{value!r} names a variant twice")
        if "baseline" in names and len(names) > 1:
            raise ValueError(f"{value!r}: `baseline` changes nothing and joins with nothing. Leave it out")
        return value
