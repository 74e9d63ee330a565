"""Patients and trainings in one interval.

A score differs between two recipes because they differ, because other patients would have come (the same ones for both, so only what one of
the two has right counts), and because another seed would have trained another network (Bouthillier et al. 2021, Accounting for variance
in machine learning benchmarks). Both recipes are scored on all patients, so that runs x patients are crossed, and the variance of the
difference of two means is the sum of two parts:

    what recipes share over their runs, over patients             max(0, V - (1/n + 1/m) I)
    what runs of one recipe do not share, patients included       (1/n + 1/m) S

V: the variance over patients of the difference of means, from each patient's moves; S: the variance of a score between runs of one recipe
on these patients, pooled over all recipes; I: the part of S that these patients explain, which V holds too. The interval is Student's, with
Satterthwaite's degrees of freedom (1946). `benchmarks/verdict.py` simulates how often it holds.

M scores, P patients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dermlab.scores.influence import Measured, degrees, variance

FIELD_SIGMA = 0.006  # of top-1 from run to run, in the field (MedSigLIP-448, 15,561 test images)
FIELD_DEGREES = 2  # that the field's figure counts for where one degree of freedom is all there is
LEAST_SHARE = 0.1  # of I that S cannot fall below: a few seeds lie together by chance, and the photos they disagree on tell that they do
ENOUGH_DEGREES = 4  # from which seeds are compared in pairs, and from which no other runs are asked for
Runs = Mapping[int, Measured]  # of one recipe, by seed


@dataclass(frozen=True)
class Noise:
    """Of each score, between runs of one recipe."""

    total: np.ndarray  # float [M]: S
    of_patients: np.ndarray  # float [M]: I
    degrees: float  # of freedom that S rests on; infinite for the field's figure alone
    source: str  # whose runs these were


@dataclass(frozen=True)
class Estimate:
    """A recipe's mean minus the baseline's, of each score: float [M] each, but for the moves."""

    delta: np.ndarray
    shared: np.ndarray  # the variance that only other patients can lower
    between: np.ndarray  # of one run of each: the variance that more seeds lower, (1/n + 1/m) of it is in the interval
    moves: np.ndarray  # [P, M], of the difference
    error: np.ndarray  # the standard error
    degrees: np.ndarray  # of freedom
    # the same of patients alone, as if no other training could have been
    patients_error: np.ndarray
    patients_degrees: np.ndarray

    def half(self, alpha: float) -> np.ndarray:
        """[M]: half the width of the interval of 1 - alpha."""
        return _half(self.error, self.degrees, alpha)

    def patients_half(self, alpha: float) -> np.ndarray:
        return _half(self.patients_error, self.patients_degrees, alpha)

    @property
    def p(self) -> np.ndarray:
        """[M]: two-sided, of no difference."""
        from scipy.stats import t

        size = np.divide(np.abs(self.delta), self.error, out=np.zeros_like(self.delta), where=self.error > 0)
        return 2 * t.sf(size, self.degrees)


def _half(error: np.ndarray, freedom: np.ndarray, alpha: float) -> np.ndarray:
    from scipy.stats import t

    return error * t.ppf(1 - alpha / 2, freedom)


def noise_of(recipes: Sequence[Runs], others: Sequence[Runs] = (), top1: int = 0) -> Noise:
    """From the recipes that are judged, the baseline's first, and from `others`, the user's own runs of this source and backbone. `top1`:
    which of the M scores the field's figure is of; that of another score is in proportion to its error over patients."""
    pooled, of_patients, freedom = _pooled(recipes)
    runs = sum(len(runs) for runs in recipes)
    source = f"{runs} runs of {len(recipes)} recipes"
    for group in others:
        if len(group) > 1:
            more, explained, count = _pooled([group])
            pooled, of_patients, freedom = pooled + more, of_patients + explained, freedom + count
            source = "these and the other runs of this source and backbone"
    first = next(iter(recipes[0].values()))
    level = variance(first.added)
    field = FIELD_SIGMA**2 * np.divide(level, level[top1], out=np.ones_like(level), where=level[top1] > 0)
    if freedom == 0:
        return Noise(field, np.zeros_like(field), np.inf, "the field, where top-1 moved by 0.6 points from run to run")
    pooled, of_patients = pooled / freedom, of_patients / freedom
    if freedom < 2:
        weight = FIELD_DEGREES / (FIELD_DEGREES + freedom)
        pooled = weight * (field + of_patients) + (1 - weight) * pooled
        return Noise(pooled, of_patients, FIELD_DEGREES + freedom, "one pair of runs and the field")
    return Noise(np.maximum(pooled, LEAST_SHARE * of_patients), of_patients, freedom, source)


def _pooled(recipes: Sequence[Runs]) -> tuple[np.ndarray, np.ndarray, float]:
    """Sums of squares between runs of one recipe [M], of the scores and of the patients' moves, and their degrees of freedom. Where all
    recipes have the same seeds, and enough of them, what a seed does to all is left out."""
    seeds = set(recipes[0])
    runs = sum(len(of) for of in recipes)
    paired = all(set(of) == seeds for of in recipes) and (len(recipes) - 1) * (len(seeds) - 1) >= ENOUGH_DEGREES
    freedom = (len(recipes) - 1) * (len(seeds) - 1) if paired else runs - len(recipes)

    def squares(part: str) -> np.ndarray:
        means = [_mean([getattr(run, part) for run in of.values()]) for of in recipes]
        by_seed = {}
        if paired:
            whole = _mean(means)
            by_seed = {seed: _mean([getattr(of[seed], part) for of in recipes]) - whole for seed in seeds}
        left = (
            np.square(getattr(run, part) - mean - by_seed.get(seed, 0))
            for of, mean in zip(recipes, means, strict=True)
            for seed, run in of.items()
        )
        return sum(part if part.ndim == 1 else part.sum(0, dtype=np.float64) for part in left)

    return squares("values"), squares("added"), freedom


def _mean(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return sum(arrays) / len(arrays)


def estimate(new: Runs, old: Runs, noise: Noise) -> Estimate:
    """Two recipes, each over its runs."""
    each = 1 / len(new) + 1 / len(old)

    def change(part: str) -> np.ndarray:
        ours, theirs = (_mean([getattr(run, part) for run in runs.values()]) for runs in (new, old))
        return ours - theirs

    moves = change("added")
    patients, freedom = variance(moves), degrees(moves)
    if not noise.of_patients.any():  # no spread between runs has seen what a class of one patient hides
        patients = (patients + variance(change("left_out"))) / 2
    shared, between = np.maximum(0, patients - each * noise.of_patients), each * noise.total
    total = shared + between
    below = shared**2 / freedom + between**2 / noise.degrees
    together = np.divide(total**2, below, out=np.full_like(total, freedom.max()), where=below > 0)
    return Estimate(change("values"), shared, noise.total, moves, np.sqrt(total), together, np.sqrt(patients), freedom)
