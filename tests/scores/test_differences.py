import numpy as np
import pytest
from scipy.stats import binomtest, t

from dermlab.scores.bootstrap import MIN_PATIENTS
from dermlab.scores.differences import difference, difference_of_means, goodness, mcnemar, welch_interval

DRAWS = np.linspace(0.4, 0.6, 1001)


def test_an_interval_that_leaves_out_zero_is_better_or_worse_and_one_that_holds_it_is_neither():
    assert difference("top1", 0.5, 0.6, DRAWS, DRAWS + 0.1, 50).verdict == "better"
    assert difference("top1", 0.5, 0.4, DRAWS, DRAWS - 0.1, 50).verdict == "worse"
    unsure = difference("top1", 0.5, 0.5, DRAWS, DRAWS[::-1], 50)
    assert unsure.verdict == "not told apart"
    assert unsure.bounds == pytest.approx((-0.19, 0.19))


def test_less_calibration_error_is_better_and_a_sink_ratio_nearer_to_one():
    assert difference("ece", 0.5, 0.4, DRAWS, DRAWS - 0.1, 50).verdict == "better"
    assert difference("sink_ratio", 1.5, 0.9, DRAWS + 1, DRAWS + 0.4, 50).verdict == "better"
    assert goodness("sink_ratio", 0.8) == pytest.approx(goodness("sink_ratio", 1.2))


def test_too_few_patients_give_the_difference_without_interval_and_verdict():
    found = difference("f1", 0.5, 0.9, DRAWS, DRAWS + 0.4, MIN_PATIENTS - 1)
    assert (found.delta, found.bounds, found.verdict) == (pytest.approx(0.4), None, "too few patients")


def test_welchs_interval_in_closed_form():
    """Two seeds each, variances 2 and 8: standard error sqrt(2/2 + 8/2), degrees of freedom 25 / (1 + 16)."""
    old, new = np.array([0.0, 2.0]), np.array([8.0, 12.0])
    reach = t.ppf(0.975, 25 / 17) * 5**0.5
    assert welch_interval(old, new) == pytest.approx((9 - reach, 9 + reach))


def test_recipes_without_any_spread_are_not_told_apart():
    found = difference_of_means("top1", np.array([0.1 + 0.2, 0.3]), np.array([0.7, 0.7]))
    assert (found.bounds, found.verdict, found.delta) == (None, "not told apart", pytest.approx(0.4))


def test_seeds_that_are_all_equal_on_one_side_have_the_spread_of_the_other():
    reach = t.ppf(0.975, 1)  # variance 2 over two seeds: standard error 1, one degree of freedom
    assert welch_interval(np.array([0.0, 2.0]), np.array([5.0, 5.0])) == pytest.approx((4 - reach, 4 + reach))


def test_mcnemar_is_the_exact_binomial_test():
    right, base = np.array([1] * 9 + [0] * 2 + [1] * 30, bool), np.array([0] * 9 + [1] * 2 + [1] * 30, bool)
    assert mcnemar(right, base) == (9, 2, pytest.approx(binomtest(2, 11, 0.5).pvalue))
    assert mcnemar(base, base) == (0, 0, 1.0)
