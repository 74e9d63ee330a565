"""The knobs of `report`, and the settings of the stages before it, which it shows as they stand."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dermlab.data.group_names import group_names
from dermlab.model.names import reads_text
from dermlab.run import paths
from dermlab.run.params import Block, Count, StageParams, nearest

JUDGED = ("top1", "top3", "macro_f1", "balanced_accuracy", "rare_recall")  # scores of which more is better
NOT_JUDGED = ("sink_ratio", "brier", "nll")  # the rest of the headline


def _looks(text: str) -> str:
    counts = [int(word) if word.isdecimal() else 0 for word in text.replace(" ", "").split(",")]
    if text != "none" and (counts[0] < 1 or any(later <= earlier for earlier, later in pairwise(counts))):
        raise ValueError(f"{text!r} is not valid. Valid: none, or rising counts of seeds such as 2,3,5,8")
    return text


def _guarded(name: str) -> str:
    groups = group_names()
    if name in groups and name in (*JUDGED, *NOT_JUDGED):
        raise ValueError(f"{name!r} is a score and a group of {paths.GROUPS}: nobody knows which is meant. Call the group otherwise")
    valid = (*JUDGED, *groups)
    if name not in valid:
        raise ValueError(f"{name!r} is not valid{nearest(name, valid)} Valid: {', '.join(JUDGED)}, or a group of {paths.GROUPS}")
    return name


class ReportParams(Block):
    examples: Count
    """Flagged photos, and surest errors, that the page shows."""
    primary: Literal[JUDGED]
    """The score that an experiment is to make better. Said before it is run."""
    guarded: Annotated[str, AfterValidator(_guarded)]
    """The score that it may not make worse by more than the margin: one of those above, or a group of classes of data/groups.csv, such as
    malignant, which stands for its sensitivity."""
    margin: Annotated[float, Field(gt=0, lt=0.5)]
    """The loss that would not matter, of both: 0.01 is one point."""
    looks: Annotated[str, AfterValidator(_looks)]
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
    min_count: int
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


def check_across(raw: Mapping[str, Any]) -> None:
    """Raises ValueError."""
    if raw["report"]["primary"] == raw["report"]["guarded"]:
        raise ValueError(f"report.primary and report.guarded are both {raw['report']['primary']}: nothing guards what is to become better")
