"""A difference of two scores: its interval, and the verdict in plain words."""

from dataclasses import dataclass

import numpy as np

from dermlab.report.scores import interval

BETTER, WORSE, NOT_APART, TOO_FEW = "better", "worse", "not told apart", "too few patients"
MIN_PATIENTS = 10  # below, percentile intervals are far too narrow; with fewer than 6, even all-for-one-side has p > 0.05 (sign test)


@dataclass(frozen=True)
class Difference:
    """A score of a run and of the baseline. `bounds`: 95 % interval of their difference, None where it does not exist."""

    baseline: float
    value: float
    bounds: tuple[float, float] | None
    verdict: str

    @property
    def delta(self) -> float:
        return self.value - self.baseline


def goodness(metric: str, score: np.ndarray | float) -> np.ndarray | float:
    """The score turned so that more is better: less calibration error, a sink ratio nearer to 1."""
    if metric == "ece":
        return -score
    return -np.abs(score - 1) if metric == "sink_ratio" else score


def difference(metric: str, old: float, new: float, old_draws: np.ndarray, new_draws: np.ndarray, patients: int) -> Difference:
    """From the scores and their paired resamples [R]. `patients`: how many the score rests on."""
    if patients < MIN_PATIENTS:
        return Difference(float(old), float(new), None, TOO_FEW)
    gain = interval(goodness(metric, new_draws) - goodness(metric, old_draws))
    return Difference(float(old), float(new), interval(new_draws - old_draws), verdict_of(gain))


def verdict_of(gain: tuple[float, float] | None) -> str:
    if gain is None or gain[0] <= 0 <= gain[1]:
        return NOT_APART
    return BETTER if gain[0] > 0 else WORSE
