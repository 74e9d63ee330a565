import numpy as np
import pytest
from scipy.stats import binomtest, t

from dermlab.scores.bootstrap import MIN_PATIENTS
from dermlab.scores.differences import (
    BETTER,
    NOT_APART,
    Difference,
    bootstrap_p,
    difference,
    difference_of_means,
    goodness,
    holm,
    mcnemar,
    seeds_needed,
    welch_interval,
    with_correction,
)

DRAWS = np.linspace(0.4, 0.6, 1001)


def test_an_interval_that_leaves_out_zero_is_better_or_worse_and_one_that_holds_it_is_neither():
    assert difference("top1", 0.5, 0.6, DRAWS, DRAWS + 0.1, 50).verdict == "better"
    assert difference("top1", 0.5, 0.4, DRAWS, DRAWS - 0.1, 50).verdict == "worse"
    unsure = difference("top1", 0.5, 0.5, DRAWS, DRAWS[::-1], 50)
    assert unsure.verdict == "not told apart"
    assert unsure.bounds == pytest.approx((-0.19, 0.19))


def test_a_smaller_proper_score_is_better_and_a_sink_ratio_nearer_to_one():
    for name in ("brier", "nll"):
        assert difference(name, 0.5, 0.4, DRAWS, DRAWS - 0.1, 50).verdict == "better"
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
    found = difference_of_means("top1", {17: 0.1 + 0.2, 18: 0.3}, {17: 0.7, 19: 0.7})
    assert (found.bounds, found.verdict, found.delta) == (None, "not told apart", pytest.approx(0.4))


def test_seeds_that_are_all_equal_on_one_side_have_the_spread_of_the_other():
    reach = t.ppf(0.975, 1)  # variance 2 over two seeds: standard error 1, one degree of freedom
    assert welch_interval(np.array([0.0, 2.0]), np.array([5.0, 5.0])) == pytest.approx((4 - reach, 4 + reach))


def test_mcnemar_is_the_exact_binomial_test():
    right, base = np.array([1] * 9 + [0] * 2 + [1] * 30, bool), np.array([0] * 9 + [1] * 2 + [1] * 30, bool)
    assert mcnemar(right, base) == (9, 2, pytest.approx(binomtest(2, 11, 0.5).pvalue))
    assert mcnemar(base, base) == (0, 0, 1.0)


def test_holms_correction_is_that_of_its_worked_example():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.5, np.nan, 0.9])) == pytest.approx([1.0, np.nan, 1.0], nan_ok=True)


def test_a_bootstrap_p_counts_the_smaller_side_twice_and_is_never_zero():
    assert bootstrap_p(np.arange(1.0, 100.0)) == pytest.approx(2 / 100)
    assert bootstrap_p(np.array([-1.0] * 10 + [1.0] * 89)) == pytest.approx(22 / 100)
    assert bootstrap_p(np.zeros(99)) == 1


def test_of_many_classes_only_what_holds_after_correction_keeps_its_verdict():
    each = {f"class {i}": Difference(0.5, 0.6, (0.01, 0.2), BETTER) for i in range(20)}
    corrected = with_correction(each, {name: 0.001 if name == "class 3" else 0.04 for name in each})
    assert [name for name, d in corrected.items() if d.verdict == BETTER] == ["class 3"]
    assert corrected["class 4"].verdict == NOT_APART


def test_under_the_null_a_study_of_many_classes_finds_something_in_one_of_twenty():
    rng = np.random.default_rng(5)
    found = sum((holm(rng.uniform(size=25)) <= 0.05).any() for _ in range(2000)) / 2000
    assert found == pytest.approx(0.05, abs=0.015)


def test_equal_seeds_are_paired_and_the_interval_is_that_of_scipy():
    from scipy.stats import ttest_rel

    old, new = {17: 0.60, 18: 0.64, 19: 0.62}, {17: 0.61, 18: 0.655, 19: 0.628}
    found = difference_of_means("top1", old, new)
    expected = ttest_rel(list(new.values()), list(old.values())).confidence_interval(0.95)
    assert found.bounds == pytest.approx((expected.low, expected.high))
    assert found.verdict == BETTER
    assert difference_of_means("top1", old, {17: 0.61, 18: 0.655, 20: 0.628}).verdict == NOT_APART  # Welch: the spread hides it


def test_the_seeds_that_are_said_to_be_needed_find_the_difference_four_times_in_five():
    from scipy.stats import ttest_1samp

    rng, delta, deviation = np.random.default_rng(1), 0.01, 0.01
    seeds = seeds_needed(delta, deviation)
    found = [ttest_1samp(rng.normal(delta, deviation, seeds), 0).pvalue < 0.05 for _ in range(2000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.05)
    assert seeds_needed(0, 0.01) is None
