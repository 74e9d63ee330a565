"""The knobs of the review: `review:` in params.yaml. No stage depends on them, only what was concluded by them, data/relabels.csv."""

from pathlib import Path
from typing import Literal

from dermlab.run import paths
from dermlab.run.params import Block, Positive, StageParams, read_params


class ReviewParams(Block):
    """`review:` of params.yaml."""

    rule: Literal["majority", "unanimous", "model"] = "majority"
    """What is concluded of a photo: what more than half of its readers say, what all of them say, or what the flags and the readers, each
    weighed by how often he errs, together hold for more likely than not. An adjudicator's word stands above each."""
    readers: Positive = 2
    """How many must have answered before anything is concluded."""


class Params(StageParams):
    review: ReviewParams = ReviewParams()
    """Absent in the params of runs of before there were readers."""


def read_review(path: Path = paths.PARAMS) -> ReviewParams:
    """Raises ParamsError; as it is by default where there is no file of params."""
    return read_params(Params, path).review if path.exists() else ReviewParams()
