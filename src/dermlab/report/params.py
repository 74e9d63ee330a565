"""The knobs of `report`, and the settings of the stages before it, which it shows as they stand."""

from pydantic import BaseModel, ConfigDict

from dermlab.model.names import reads_text
from dermlab.run.params import Block, Count, StageParams


class ReportParams(Block):
    examples: Count
    """Flagged photos, and surest errors, that the page shows."""


class Shown(BaseModel):
    """A block of another stage, which checks it. Named are the knobs that a sentence of the report depends on."""

    model_config = ConfigDict(frozen=True, extra="allow")


class FlagShown(Shown):
    garbage: str


class ManifestShown(Shown):
    guard: bool
    max_drop: float
    rebalance: str
    held_out: str


class EvaluateShown(Shown):
    ece_bins: int
    bootstrap: int


class Params(StageParams):
    variant: str
    loss: str
    backbone: str
    seed: int
    embed: Shown
    flag: FlagShown
    manifest: ManifestShown
    train: Shown
    calibrate: Shown
    evaluate: EvaluateShown
    report: ReportParams

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(self.variant.split("+"))

    @property
    def prompts_may_be_used(self) -> bool:
        """For an `hf` backbone on `auto`, the model's configuration decides."""
        return self.flag.garbage != "distance" and reads_text(self.backbone)
