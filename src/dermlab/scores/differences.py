"""A difference of two scores: its interval, its p, and the verdict in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from dermlab.scores.bootstrap import MIN_PATIENTS
from dermlab.scores.influence import Measured, degrees, variance

BETTER, WORSE, NOT_APART, TOO_FEW = "better", "worse", "not told apart", "too few patients"
ALPHA = 0.05
DRAWS = 20_000


@dataclass(frozen=True)
class Difference:
    """A score of a recipe (or a run) and of the baseline."""

    baseline: float
    value: float
    bounds: tuple[float, float] | None  # 95 % interval of their difference, None where it does not exist
    verdict: str
    p: float = float("nan")  # two-sided, of no difference
    of_patients: tuple[float, float] | None = None  # the interval if these were the only trainings there could be: patients alone

    @property
    def delta(self) -> float:
        return self.value - self.baseline


def better_sign(metric: str, old: float, new: float) -> float:
    """1 where the higher of two values of a score is the better one, else -1: smaller is better of a proper score, nearer to 1 of the sink
    ratio."""
    if metric == "sink_ratio":
        return 1.0 if (abs(new - 1) < abs(old - 1)) == (new > old) else -1.0
    return -1.0 if metric in ("brier", "nll") else 1.0


def holm(p_values: np.ndarray) -> np.ndarray:
    """p [M] corrected for their number, so that among M true null hypotheses one is rejected at most as often as said (Holm 1979). NaN
    stays NaN and does not count."""
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    corrected = np.full(len(p_values), np.nan)
    corrected[order] = np.minimum(1, np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1)))
    return corrected


def smallest_of(p_values: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """p [M] corrected for their number where they hang together as moves [P, M] do: how often the smallest of so many would be as small
    if nothing differed, by DRAWS draws of normal variables with their correlation (Hothorn, Bretz & Westfall 2008). NaN stays NaN and does
    not count. Scores that say much the same cost little more than one, where Holm's correction takes each for another."""
    known = np.flatnonzero(np.isfinite(p_values) & moves.any(0))
    corrected = np.where(np.isfinite(p_values), 1.0, np.nan)
    if len(known):
        scaled = moves[:, known].astype(np.float64)
        scaled /= np.sqrt(np.square(scaled).sum(0))
        values, vectors = np.linalg.eigh(scaled.T @ scaled)
        drawn = np.random.default_rng(17).normal(size=(DRAWS, len(known))) @ (vectors * np.sqrt(np.maximum(values, 0))).T
        largest = np.sort(np.abs(drawn).max(1))
        sizes = -ndtri(np.maximum(p_values[known], 1e-300) / 2)
        corrected[known] = 1 - np.searchsorted(largest, sizes) / DRAWS
    return corrected


def with_correction(differences: dict[str, Difference], moves: np.ndarray, alpha: float = ALPHA) -> dict[str, Difference]:
    """The same differences, called better or worse only where the p corrected for all of them is at most `alpha`. moves: [P, M], of the
    differences."""
    corrected = smallest_of(np.array([d.p if d.verdict in (BETTER, WORSE, NOT_APART) else np.nan for d in differences.values()]), moves)
    return {
        name: replace(d, verdict=NOT_APART) if d.verdict in (BETTER, WORSE) and not p <= alpha else d
        for (name, d), p in zip(differences.items(), corrected, strict=True)
    }


def patients_difference(metrics: Sequence[str], old: Measured, new: Measured, patients: Sequence[int]) -> dict[str, Difference]:
    """Of two ways to read one network, or of two checkpoints: other patients are all that could come out otherwise. `metrics`: names of the
    M scores; `patients` [M]: how many each rests on."""
    gap, added, left_out = new.values - old.values, new.added - old.added, new.left_out - old.left_out
    error, freedom = np.sqrt((variance(added) + variance(left_out)) / 2), degrees(added)
    half = error * stdtrit(freedom, 1 - ALPHA / 2)
    p = 2 * stdtr(freedom, -np.divide(np.abs(gap), error, out=np.zeros_like(gap), where=error > 0))
    found = {}
    for at, metric in enumerate(metrics):
        ends = (float(gap[at] - half[at]), float(gap[at] + half[at])) if patients[at] >= MIN_PATIENTS and np.isfinite(gap[at]) else None
        word = verdict_of(ends, better_sign(metric, old.values[at], new.values[at]))
        found[metric] = Difference(float(old.values[at]), float(new.values[at]), ends, word, float(p[at]), ends)
    return found


def verdict_of(bounds: tuple[float, float] | None, sign: float = 1.0) -> str:
    """`sign`: 1 where more is better, -1 where less is."""
    if bounds is None:
        return TOO_FEW
    if bounds[0] <= 0 <= bounds[1]:
        return NOT_APART
    return BETTER if sign * bounds[0] > 0 else WORSE
