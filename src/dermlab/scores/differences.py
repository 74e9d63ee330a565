"""A difference of two scores: its interval, and the verdict in plain words.

Two questions, two answers. How far do two *checkpoints* differ on patients like these? Patients are resampled, the same for both (a
paired bootstrap). How far do two *recipes* differ? Only several seeds of each can say: a t interval of the differences at
shared seeds, else Welch's (Welch 1947).
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dermlab.scores.bootstrap import MIN_PATIENTS, interval

FIELD_NOTE = (
    "In the field the run-to-run standard deviation of top-1 was about 0.6 points: two single runs must differ by about 1.7 points, "
    "three seeds against three by about 1.0"
)
BETTER, WORSE, NOT_APART, TOO_FEW = "better", "worse", "not told apart", "too few patients"


@dataclass(frozen=True)
class Difference:
    """A score of a run and of the baseline."""

    baseline: float
    value: float
    bounds: tuple[float, float] | None  # 95 % interval of their difference, None where it does not exist
    verdict: str

    @property
    def delta(self) -> float:
        return self.value - self.baseline


def goodness(metric: str, score: np.ndarray | float) -> np.ndarray | float:
    """The score turned so that more is better: smaller proper scores, a sink ratio nearer to 1."""
    if metric in ("brier", "nll"):
        return -score
    return -np.abs(score - 1) if metric == "sink_ratio" else score


def holm(p_values: np.ndarray) -> np.ndarray:
    """p [M] corrected for their number, so that among M true null hypotheses one is rejected at most as often as said (Holm 1979). NaN
    stays NaN and does not count."""
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    corrected = np.full(len(p_values), np.nan)
    corrected[order] = np.minimum(1, np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1)))
    return corrected


def bootstrap_p(gain: np.ndarray) -> float:
    """Two-sided p of no difference from paired resamples [R] of it: twice the smaller share on one side of zero, with one added to both
    counts so that it is never 0 (Davison & Hinkley 1997, section 4.2). NaN without resamples."""
    gain = gain[np.isfinite(gain)]
    if not len(gain):
        return float("nan")
    return float(min(1, 2 * (1 + min((gain <= 0).sum(), (gain >= 0).sum())) / (len(gain) + 1)))


def with_correction(differences: dict[str, Difference], p_values: dict[str, float]) -> dict[str, Difference]:
    """The same differences, called better or worse only where the p corrected for their number is at most 0.05."""
    corrected = dict(zip(p_values, holm(np.array(list(p_values.values()))), strict=True))
    return {
        name: replace(d, verdict=NOT_APART) if d.verdict in (BETTER, WORSE) and not corrected.get(name, 1) <= 0.05 else d
        for name, d in differences.items()
    }


def difference(metric: str, old: float, new: float, old_draws: np.ndarray, new_draws: np.ndarray, patients: int) -> Difference:
    """From the scores and their paired resamples [R]. `patients`: how many the score rests on."""
    if patients < MIN_PATIENTS:
        return Difference(float(old), float(new), None, TOO_FEW)
    gain = interval(goodness(metric, new_draws) - goodness(metric, old_draws), patients)
    return Difference(float(old), float(new), interval(new_draws - old_draws, patients), verdict_of(gain))


def difference_of_means(metric: str, old: Mapping[int, float], new: Mapping[int, float]) -> Difference:
    """From a score of each seed of the baseline's recipe and of the other, two seeds or more of each. Where both have the same seeds they
    are paired (a seed decides where training starts and in which order rows come): a t interval of the mean difference. Otherwise
    Welch's."""
    if set(old) == set(new):
        pairs = np.array([[old[seed], new[seed]] for seed in old])
        between = _paired_interval
        ours, theirs = pairs[:, 0], pairs[:, 1]
    else:
        between, ours, theirs = welch_interval, np.array(list(old.values())), np.array(list(new.values()))
    gain = between(np.asarray(goodness(metric, ours)), np.asarray(goodness(metric, theirs)))
    return Difference(float(ours.mean()), float(theirs.mean()), between(ours, theirs), verdict_of(gain))


def seeds_needed(delta: float, deviation: float) -> int | None:
    """Paired seeds at which a true difference `delta` is told apart four times in five: (z_.975 + z_.8)^2 (deviation / delta)^2, plus 2 for
    the t distribution's tails. `deviation`: of the difference from seed to seed. None where there is nothing to find."""
    return None if delta == 0 or deviation == 0 else math.ceil(7.849 * (deviation / delta) ** 2) + 2


def _paired_interval(old: np.ndarray, new: np.ndarray) -> tuple[float, float] | None:
    from scipy.stats import ttest_rel

    if (new - old).var(ddof=1) < 1e-20:  # the same difference at each seed, but for rounding
        return None
    bounds = ttest_rel(new, old).confidence_interval(0.95)
    return float(bounds.low), float(bounds.high)


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
