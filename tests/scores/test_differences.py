import numpy as np
import pytest
from scipy.stats import t

from dermlab.scores.bootstrap import MIN_PATIENTS
from dermlab.scores.differences import (
    BETTER,
    NOT_APART,
    Difference,
    better_sign,
    holm,
    patients_difference,
    smallest_of,
    verdict_of,
    with_correction,
)
from dermlab.scores.influence import Measured


def test_an_interval_that_leaves_out_zero_is_better_or_worse_and_one_that_holds_it_is_neither():
    assert verdict_of((0.01, 0.1)) == "better"
    assert verdict_of((-0.1, -0.01)) == "worse"
    assert verdict_of((-0.1, 0.1)) == "not told apart"
    assert verdict_of(None) == "too few patients"
    assert verdict_of((-0.1, -0.01), better_sign("nll", 0.9, 0.8)) == "better"


def test_a_smaller_proper_score_is_better_and_a_sink_ratio_nearer_to_one():
    assert [better_sign(name, 0.5, 0.4) for name in ("top1", "brier", "nll")] == [1, -1, -1]
    assert verdict_of((-0.7, -0.5), better_sign("sink_ratio", 1.5, 0.9)) == "better"
    assert verdict_of((-1.2, -0.8), better_sign("sink_ratio", 1.2, 0.2)) == "worse"  # past 1, and farther from it than before
    assert verdict_of((0.1, 0.3), better_sign("sink_ratio", 0.7, 0.9)) == "better"


def measured(values, moves) -> Measured:
    moves = np.array(moves, np.float32)
    return Measured(np.array(values, float), moves, moves, np.zeros((0, len(values))))


def test_the_difference_of_two_readings_is_a_t_interval_over_patients():
    rng = np.random.default_rng(3)
    moves = rng.normal(size=(40, 1)) / 400
    moves -= moves.mean(0)
    old, new = measured([0.5], np.zeros((40, 1))), measured([0.6], moves)
    found = patients_difference(["top1"], old, new, [40])["top1"]
    error = np.sqrt((moves.astype(np.float32) ** 2).sum())
    half = (found.bounds[1] - found.bounds[0]) / 2
    assert found.delta == pytest.approx(0.1)
    assert t.ppf(0.975, 39) * error <= half < 1.2 * t.ppf(0.975, 39) * error  # fewer degrees of freedom where the moves are uneven
    assert found.verdict == BETTER


def test_too_few_patients_give_the_difference_without_interval_and_verdict():
    few = measured([0.5], np.zeros((9, 1)))
    found = patients_difference(["top1"], few, measured([0.9], np.zeros((9, 1))), [MIN_PATIENTS - 1])["top1"]
    assert (found.delta, found.bounds, found.verdict) == (pytest.approx(0.4), None, "too few patients")


def test_holms_correction_is_that_of_its_worked_example():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.5, np.nan, 0.9])) == pytest.approx([1.0, np.nan, 1.0], nan_ok=True)


def test_of_many_classes_only_what_holds_after_correction_keeps_its_verdict():
    each = {f"class {i}": Difference(0.5, 0.6, (0.01, 0.2), BETTER, 0.001 if i == 3 else 0.04) for i in range(20)}
    corrected = with_correction(each, np.random.default_rng(1).normal(size=(500, 20)))
    assert [name for name, d in corrected.items() if d.verdict == BETTER] == ["class 3"]
    assert corrected["class 4"].verdict == NOT_APART


def test_scores_that_say_the_same_cost_no_more_than_one_and_those_that_do_not_as_much_as_by_sidak():
    one = np.random.default_rng(1).normal(size=(400, 1))
    same, apart = np.tile(one, (1, 10)), np.linalg.qr(np.random.default_rng(2).normal(size=(400, 10)))[0]
    p = np.full(10, 0.02)
    assert smallest_of(p, same)[0] == pytest.approx(0.02, abs=0.004)
    assert smallest_of(p, apart)[0] == pytest.approx(1 - 0.98**10, abs=0.01)
    p[3] = np.nan
    assert np.isnan(smallest_of(p, apart)[3])
    assert smallest_of(p, apart)[0] == pytest.approx(1 - 0.98**9, abs=0.01)
    assert smallest_of(p, np.zeros((400, 10)))[0] == 1  # nothing moves: nothing differs


def test_under_the_null_a_study_of_many_classes_finds_something_in_one_of_twenty():
    rng = np.random.default_rng(5)
    found = sum((holm(rng.uniform(size=25)) <= 0.05).any() for _ in range(2000)) / 2000
    assert found == pytest.approx(0.05, abs=0.015)
