"""Patients and trainings in one interval.

A score differs between two recipes because they differ, because other patients would have come (the same ones for both, so only what one of
the two has right counts), and because another seed would have trained another network (Bouthillier et al. 2021, Accounting for variance
in machine learning benchmarks). Both recipes are scored on all patients, so that runs x patients are crossed, and the variance of the
difference of the means of n and of m runs is the sum of two parts:

    what recipes share over their runs, over patients             max(0, V - I / n - J / m) + W
    what runs of one recipe do not share, patients included       S / n + T / m

V: the variance over patients of the difference of means, from each patient's moves; S, T: the variance of a score between runs of the one
recipe and of the other on these patients, each its own, shrunk towards that of all recipes, since a few runs tell little of it; I, J: the
parts of S and T that these patients explain, which V holds too; W: the variance over what the truth of photos may be whose raters disagree
(`scores.reference`), the same draws for both recipes. The interval is Student's, with Satterthwaite's degrees of freedom (1946).
`benchmarks/verdict.py` simulates how often it holds.

M scores, P patients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from dermlab.scores.influence import Measured, degrees, variance

FIELD_SIGMA = 0.006  # of top-1 from run to run, in the field (MedSigLIP-448, 15,561 test images)
FIELD_DEGREES = 2  # that the field's figure counts for where one degree of freedom is all there is
SHRINKAGE = 1  # degrees of freedom that all recipes together count for in the spread of one
LEAST_SHARE = 0.1  # of I that S cannot fall below: a few seeds lie together by chance, and the photos they disagree on tell that they do
Runs = Mapping[int, Measured]  # of one recipe, by seed


@dataclass(frozen=True)
class Noise:
    """Of each score, between runs of one recipe."""

    total: np.ndarray  # float [M]: S
    of_patients: np.ndarray  # float [M]: I
    degrees: float  # of freedom that S rests on; infinite for the field's figure alone
    pool: float  # of freedom of all recipes together, beyond which no sum of two of these goes
    source: str  # whose runs these were


@dataclass(frozen=True)
class Estimate:
    """A recipe's mean minus the baseline's, of each score: float [M] each, but for the moves."""

    delta: np.ndarray
    shared: np.ndarray  # the variance that only more patients, or raters who agree, can lower
    between: np.ndarray  # the variance that more seeds lower
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
        size = np.divide(np.abs(self.delta), self.error, out=np.zeros_like(self.delta), where=self.error > 0)
        return 2 * stdtr(self.degrees, -size)


def _half(error: np.ndarray, freedom: np.ndarray, alpha: float) -> np.ndarray:
    return error * stdtrit(freedom, 1 - alpha / 2)


def noise_of(recipes: Sequence[Runs], others: Sequence[Runs] = (), top1: int = 0) -> list[Noise]:
    """Of each of the recipes that are judged, the baseline's first. `others`: the user's own runs of this source and backbone. `top1`:
    which of the M scores the field's figure is of; that of another score is in proportion to its error over patients."""
    own, more = _own(recipes), _own([group for group in others if len(group) > 1])
    counts = [count for _, _, count in (*own, *more)]
    freedom = sum(counts)
    runs = sum(len(runs) for runs in recipes)
    source = "these and the other runs of this source and backbone" if more else f"{runs} runs of {len(recipes)} recipes"
    first = next(iter(recipes[0].values()))
    level = variance(first.added)
    field = FIELD_SIGMA**2 * np.divide(level, level[top1], out=np.ones_like(level), where=level[top1] > 0)
    if freedom == 0:
        alone = Noise(field, np.zeros_like(field), np.inf, np.inf, "the field, where top-1 moved by 0.6 points from run to run")
        return [alone] * len(recipes)
    pooled, of_patients = (_pooled([of[part] for of in (*own, *more)], counts) for part in (0, 1))
    if freedom < 2:
        weight = FIELD_DEGREES / (FIELD_DEGREES + freedom)
        pooled = weight * (field + of_patients) + (1 - weight) * pooled
        freedom, source = FIELD_DEGREES + freedom, "one pair of runs and the field"
    found = []
    for squares, explained, count in own:
        total = (SHRINKAGE * pooled + squares) / (SHRINKAGE + count)
        mine = explained / count if count else of_patients
        own_degrees = min(SHRINKAGE, freedom) + count if count else freedom
        found.append(Noise(np.maximum(total, LEAST_SHARE * mine), mine, own_degrees, freedom, source))
    return found


def _pooled(squares: Sequence[np.ndarray], counts: Sequence[float]) -> np.ndarray:
    """[M]: of sums of squares [M] with their degrees of freedom, over those that have a score; 0 where none has."""
    known = np.isfinite(np.stack(squares))
    total, freedom = np.where(known, squares, 0).sum(0), (known * np.array(counts)[:, None]).sum(0)
    return np.divide(total, freedom, out=np.zeros_like(total), where=freedom > 0)


def _own(recipes: Sequence[Runs]) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Of each recipe the sums of squares between its runs [M], of the scores and of the patients' moves, and their degrees of freedom.

    Not paired by seed: a seed of two recipes starts two trainings that share little, and a pair would hide which of both scatters."""

    def squares(runs: Runs, part: str) -> np.ndarray:
        mean = _mean([getattr(run, part) for run in runs.values()])
        left = (np.square(getattr(run, part) - mean) for run in runs.values())
        return sum(each if each.ndim == 1 else each.sum(0, dtype=np.float64) for each in left)

    return [(squares(of, "values"), squares(of, "added"), float(len(of) - 1)) for of in recipes]


def _mean(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return sum(arrays) / len(arrays)


def estimate(new: Runs, old: Runs, of_new: Noise, of_old: Noise) -> Estimate:
    """Two recipes, each over its runs."""

    def change(part: str) -> np.ndarray:
        ours, theirs = (_mean([getattr(run, part) for run in runs.values()]) for runs in (new, old))
        return ours - theirs

    moves = change("added")
    patients, freedom = variance(moves), degrees(moves)
    if not (of_new.of_patients.any() or of_old.of_patients.any()):  # no spread between runs has seen what a class of one patient hides
        patients = (patients + variance(change("left_out"))) / 2
    truths = variance(change("truths"))
    explained = of_new.of_patients / len(new) + of_old.of_patients / len(old)
    shared, ours, theirs = np.maximum(0, patients - explained) + truths, of_new.total / len(new), of_old.total / len(old)
    between, total = ours + theirs, shared + ours + theirs
    trained = _ratio(between**2, ours**2 / of_new.degrees + theirs**2 / of_old.degrees, of_new.pool)
    below = shared**2 / freedom + between**2 / np.minimum(trained, of_new.pool)
    together = _ratio(total**2, below, freedom.max())
    return Estimate(change("values"), shared, between, moves, np.sqrt(total), together, np.sqrt(patients), freedom)


def _ratio(part: np.ndarray, whole: np.ndarray, without: float) -> np.ndarray:
    return np.divide(part, whole, out=np.full_like(part, without), where=whole > 0)
