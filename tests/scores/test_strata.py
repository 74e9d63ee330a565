from itertools import product

import numpy as np
import pytest
from scipy.stats import hypergeom

from dermlab.scores.strata import allocation, stratified_share


def test_each_stratum_weighs_by_its_rows():
    share, low, high = stratified_share([100, 900], [10, 90], [5, 9])
    assert share == pytest.approx((100 * 0.5 + 900 * 0.1) / 1000)
    assert low < share < high


def test_what_is_known_of_every_row_is_no_estimate():
    assert stratified_share([10, 30], [10, 30], [5, 0]) == pytest.approx((0.125, 0.125, 0.125))


def test_a_few_rows_without_a_hit_promise_nothing():
    share, low, high = stratified_share([3000], [60], [0])
    assert (share, low) == (0, 0)
    assert 0.03 < high < 0.06  # the exact upper bound is 1 - 0.025^(1/60) = 0.060


def test_a_stratum_of_which_nothing_is_known_leaves_no_estimate_and_an_empty_one_does_no_harm():
    assert stratified_share([100, 900], [0, 90], [0, 9]) is None
    assert stratified_share([0, 900], [0, 90], [0, 9])[0] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("rows", "told", "hits"),
    [
        ((50, 400, 3000), (10, 25, 65), (45, 80, 0)),  # nothing to find in the largest
        ((50, 400, 3000), (10, 25, 65), (25, 20, 6)),  # 0 or 1 found in each of two
        ((200, 900, 6000), (10, 20, 70), (180, 90, 30)),
        ((15, 1500, 5600), (10, 30, 60), (14, 450, 448)),
    ],
)
def test_the_interval_holds_the_truth_in_95_of_100_samples(rows, told, hits):
    """Not simulated: every sample that may be drawn, with its probability."""
    chances = [hypergeom(*of) for of in zip(rows, hits, told, strict=True)]
    found = [[(x, p) for x in range(n + 1) if (p := chance.pmf(x)) > 1e-3] for chance, n in zip(chances, told, strict=True)]
    truth, covered, total = sum(hits) / sum(rows), 0.0, 0.0
    for drawn in product(*found):
        probability = float(np.prod([p for _, p in drawn]))
        if probability > 3e-5:
            _, low, high = stratified_share(rows, told, [x for x, _ in drawn])
            covered, total = covered + probability * (low <= truth <= high), total + probability
    assert total > 0.97
    assert 0.935 < covered / total < 0.97


def test_rows_are_drawn_where_they_tell_most_and_some_of_each_stratum():
    assert allocation([50, 400, 3000], [0.3, 0.45, 0.14], 100) == [10, 27, 63]
    assert allocation([5, 2000], [0.5, 0.1], 100) == [5, 95]
    assert allocation([5, 20], [0.5, 0.1], 100) == [5, 20]


def test_a_larger_sample_holds_the_smaller_one():
    small, large = (allocation([50, 400, 3000], [0.3, 0.45, 0.14], size) for size in (40, 200))
    assert all(one <= other for one, other in zip(small, large, strict=True))
