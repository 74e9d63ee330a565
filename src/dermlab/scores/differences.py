"""A difference of two scores: its interval, and the verdict in plain words.

Two questions, two answers. How far do two *checkpoints* differ on patients like these? Patients are resampled, the same for both (a
paired bootstrap). How far do two *recipes* differ? Only several seeds of each can say: Welch's t interval (Welch 1947).
"""

import warnings
from dataclasses import dataclass

import numpy as np

from dermlab.scores.bootstrap import MIN_PATIENTS, interval

BETTER, WORSE, NOT_APART, TOO_FEW = "better", "worse", "not told apart", "too few patients"


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
    gain = interval(goodness(metric, new_draws) - goodness(metric, old_draws), patients)
    return Difference(float(old), float(new), interval(new_draws - old_draws, patients), verdict_of(gain))


def difference_of_means(metric: str, old: np.ndarray, new: np.ndarray) -> Difference:
    """From a score of each seed, [S] of the baseline's recipe and of the other, two seeds or more of each; by Welch's interval."""
    gain = welch_interval(goodness(metric, old), goodness(metric, new))
    return Difference(float(old.mean()), float(new.mean()), welch_interval(old, new), verdict_of(gain))


def verdict_of(gain: tuple[float, float] | None) -> str:
    if gain is None or gain[0] <= 0 <= gain[1]:
        return NOT_APART
    return BETTER if gain[0] > 0 else WORSE


def welch_interval(old: np.ndarray, new: np.ndarray) -> tuple[float, float] | None:
    """95 % interval of mean(new) - mean(old), two values or more of each; None without any spread to judge by."""
    from scipy.stats import ttest_ind

    if old.var(ddof=1) / len(old) + new.var(ddof=1) / len(new) < 1e-20:  # equal but for rounding
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # SciPy warns where the seeds of one of the two are all equal, which they may be
        bounds = ttest_ind(new, old, equal_var=False).confidence_interval(0.95)
    return float(bounds.low), float(bounds.high)


def mcnemar(right: np.ndarray, baseline_right: np.ndarray) -> tuple[int, int, float]:
    """bool [N] each. Rows only the first has right, only the second, and the exact two-sided p of an even split (McNemar 1947)."""
    from scipy.stats import binomtest

    gained, lost = int((right & ~baseline_right).sum()), int((~right & baseline_right).sum())
    return gained, lost, float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0
