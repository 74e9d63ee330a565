"""The knobs of `report`, and the settings of the stages before it, which it shows as they stand."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from dermlab.model.names import reads_text
from dermlab.run.params import Block, Count, StageParams, choice_of

JUDGED = ("top1", "top3", "macro_f1", "balanced_accuracy", "rare_recall")  # scores of which more is better


class ReportParams(Block):
    examples: Count
    """Flagged photos, and surest errors, that the page shows."""
    primary: Annotated[str, choice_of(JUDGED)]
    """The score that an experiment is to make better: top1, top3, macro_f1, balanced_accuracy or rare_recall. Said before it is run."""
    guarded: Annotated[str, choice_of(JUDGED)]
    """The score that it may not make worse by more than the margin."""
    margin: Annotated[float, Field(gt=0, lt=0.5)]
    """The loss that would not matter, of both: 0.01 is one point."""
    looks: str
    """Counts of seeds at which a study is looked at, the last one included, such as 2,3,5,8; none: only at its end. Each look is paid for
    by wider intervals. `dermlab study NAME --until-decided` sets it in its experiments."""


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
