"""What is asked of an experiment, before its result is known: the block `report` of params.yaml."""

from dataclasses import dataclass

from dermlab.report.params import ReportParams
from dermlab.run import paths
from dermlab.run.params import StageParams, read_params
from dermlab.scores.differences import ALPHA


class Asked(StageParams):
    report: ReportParams


@dataclass(frozen=True)
class Question:
    primary: str = "top1"  # the score that is to become better
    guarded: str = "rare_recall"  # the score that may not become worse
    margin: float = 0.01  # the loss that would not matter, of both
    alpha: float = ALPHA  # share of no differences that may be taken for some


def asked() -> Question:
    """As params.yaml of the working folder says; as this repository began with, where there is none, as beside somebody's predictions."""
    if not paths.PARAMS.exists():
        return Question()
    report = read_params(Asked).report
    return Question(report.primary, report.guarded, report.margin)
