"""Intervals by patient: as wide as patients, not images, are few, and none where there are too few of them."""

import numpy as np
import pytest

from dermlab.scores.bootstrap import MIN_PATIENTS, interval, resample
from dermlab.scores.counts import Counts, count, top1


def outcomes(hits: np.ndarray, rows: float) -> Counts:
    """Counts by patient of one class. hits: [P], of `rows` rows each."""
    return Counts(hits[:, None], np.full((len(hits), 1), rows), np.full((len(hits), 1), rows))


def test_the_interval_covers_the_true_difference_as_often_as_it_says():
    """150 test sets of 40 patients with 4 images each, whose outcomes hang together: two equally good models truly differ by 0."""
    rng, covered, simulations = np.random.default_rng(5), 0, 150
    for _ in range(simulations):
        pair = [outcomes(rng.binomial(4, rng.beta(2, 2, size=40)).astype(float), 4.0) for _ in range(2)]
        old, new = (top1(counts) for counts in resample(pair, 300, int(rng.integers(2**31))))
        point = float(top1(pair[1].total()) - top1(pair[0].total()))
        low, high = interval(new - old, 40, point)
        covered += low <= 0 <= high
    assert 0.88 <= covered / simulations <= 0.99


def test_resampling_images_instead_of_patients_would_be_too_sure():
    right = np.repeat(np.random.default_rng(7).integers(0, 2, 60), 5)  # each patient's five images are all right or all wrong
    widths = []
    for group in (np.repeat(np.arange(60), 5), np.arange(300)):
        (draws,) = resample([count(np.zeros(300, int), 1 - right, 2, group)], 500, 0)
        low, high = interval(top1(draws), 60, 0.5)
        widths.append(high - low)
    assert widths[0] / widths[1] == pytest.approx(5**0.5, rel=0.15)


def test_the_draw_of_patients_is_the_same_for_every_run_and_every_time():
    runs = [outcomes(np.random.default_rng(0).integers(0, 5, 30).astype(float), 4.0)] * 2
    first, second = resample(runs, 700, seed=1)
    np.testing.assert_array_equal(first.hit, second.hit)
    np.testing.assert_array_equal(first.hit, resample(runs, 700, seed=1)[0].hit)
    assert first.hit.shape == (700, 1)
    assert (first.rows == 120).all()


def test_an_interval_is_of_the_middle_95_per_cent():
    assert interval(np.linspace(0, 1, 1001), 50, 0.5) == pytest.approx((0.025, 0.975))


def test_intervals_leave_out_resamples_without_the_score():
    assert interval(np.array([np.nan, 0.5, 0.5]), 50, 0.5) == (0.5, 0.5)
    assert interval(np.array([np.nan]), 50, 0.5) is None


def test_too_few_patients_give_no_interval():
    samples = np.linspace(0, 1, 1001)
    assert interval(samples, MIN_PATIENTS - 1, 0.5) is None
    assert interval(samples, MIN_PATIENTS, 0.5) is not None


def test_the_score_itself_lies_within():
    assert interval(np.linspace(0.067, 0.1, 100), 50, 0.056)[0] == 0.056
