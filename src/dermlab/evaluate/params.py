"""The knobs of `evaluate`."""

from typing import Annotated, Literal

from pydantic import Field

from dermlab.run.params import Block, Positive, StageParams, Whole


class EvaluateParams(Block):
    tta: Literal["none", "flip", "crops"]
    """Test-time augmentation: the mean over the photo and its mirror image (`flip`), or over ten views (`crops`)."""
    ece_bins: Positive
    """Bins of the calibration plot."""
    bootstrap: Annotated[Whole, Field(ge=100)]
    """Resamples of patients behind the intervals of the headline, each class, tiers, subgroups, cases, raters and the balance of classes.
    Those of sets, gaps, groups of classes, what is unfamiliar by group, and the photo alone need none."""


class Params(StageParams):
    evaluate: EvaluateParams
