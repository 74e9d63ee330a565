"""The knobs of `calibrate`."""

from typing import Annotated, Literal

from pydantic import Field

from dermlab.run.params import Block, Share, StageParams

Promise = Annotated[float, Field(gt=0, lt=1)]


class CalibrateParams(Block):
    adjust: Literal["none", "validation"]
    """`validation` takes tau times the log prior out of the logits (Menon et al. 2021), with the tau from 0 to 1.5 that validation
    chooses. Trains nothing."""
    pool: Literal["logmean", "mean", "max"]
    """How photos of one case are put together: the mean of their log-probabilities, tempered for what they share (`logmean`; validation
    says how far they are evidence of their own), or the mean or the highest of their probabilities."""
    answer: Promise
    """Share of right ones among the photos that get one answer; validation sets the threshold."""
    top3: Promise
    """Share of lists with the right class among the photos that get three to choose from."""
    coverage: Promise
    """Chance that the set of classes that is given for a photo holds the right one; validation sets the thresholds."""
    sensitivity: Promise
    """Share of the photos of a group of classes (data/groups.csv) that are to be called of it; validation sets the threshold."""
    unfamiliar: Share
    """Share of the validation photos that are too unlike the others for an answer; they set what is familiar."""


class Params(StageParams):
    seed: int
    calibrate: CalibrateParams
