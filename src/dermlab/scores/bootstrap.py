"""Intervals by patient: patients are drawn with replacement, each with all their rows (a clustered bootstrap; Efron & Tibshirani 1993).

P patients, R resamples. As every score is a function of sums over patients, R resamples are one matrix product.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TypeVar

import numpy as np

from dermlab.scores.counts import Counts

SomeCounts = TypeVar("SomeCounts", bound=Counts)
MIN_PATIENTS = 10  # below, percentile intervals are far too narrow; with fewer than 6, even all-for-one-side has p > 0.05 (sign test)
CHUNK = 256  # resamples weighted at once: bounds the memory to CHUNK x P numbers


def resample(by_patient: Sequence[SomeCounts], resamples: int, seed: int) -> list[SomeCounts]:
    """Counts [R, ...] of each run from its counts by patient [P, ...]: the same draw of patients for every run, so that differences
    are paired."""
    parts: list[list[SomeCounts]] = [[] for _ in by_patient]
    for weights in drawn_weights(len(by_patient[0].rows), resamples, seed):
        for run, counts in zip(parts, by_patient, strict=True):
            run.append(counts.weighted(weights))
    return [type(run[0])(*(np.concatenate([getattr(part, of.name) for part in run]) for of in fields(run[0]))) for run in parts]


def drawn_weights(people: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each of the P people is drawn, float64 [at most CHUNK, P] each, of R resamples in all."""
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, CHUNK):
        size = min(CHUNK, resamples - start)
        drawn = rng.integers(people, size=(size, people)) + np.arange(size)[:, None] * people
        yield np.bincount(drawn.ravel(), minlength=size * people).reshape(size, people).astype(np.float64)


def interval(samples: np.ndarray, patients: int, point: float) -> tuple[float, float] | None:
    """The 95 % percentile interval of samples [R], wide enough to hold the score itself, `point`: where a class has a patient or two, the
    resamples without them have other scores on the mean. Resamples in which the score does not exist (NaN) are left out.

    `patients`: how many the score rests on. None with fewer than MIN_PATIENTS, or where no resample has the score.
    """
    samples = samples[np.isfinite(samples)]
    if patients < MIN_PATIENTS or not len(samples):
        return None
    low, high = np.quantile(samples, [0.025, 0.975])
    return float(min(low, point)), float(max(high, point))
