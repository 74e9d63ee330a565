import itertools

import numpy as np
import pytest

from dermlab.verdict.power import SEEDS, Plan, expected, tables


def test_with_the_seeds_said_to_be_needed_four_studies_in_five_tell_the_difference():
    plan = Plan(shared=0.002**2, total=0.008**2, of_patients=0.004**2, patients=1000, seeds=1)
    need = plan.needed(0.01)
    assert need.patients is None
    rng = np.random.default_rng(1)
    gaps = 0.01 + rng.normal(0, plan.error(need.seeds, 1000), 20_000)
    assert np.mean(gaps > 1.96 * plan.error(need.seeds, 1000)) == pytest.approx(0.8, abs=0.08)
    assert plan.tells(need.seeds, 1000) <= 0.01 < plan.tells(need.seeds - 1, 1000)
    assert str(need) == f"about {need.seeds} seeds of each would tell a difference of 1 point apart"


def test_where_patients_are_what_is_missing_more_of_them_are_asked_for():
    plan = Plan(shared=0.01**2, total=0.004**2, of_patients=0.002**2, patients=300, seeds=3)
    need = plan.needed(0.01)
    assert need.seeds is None
    assert plan.tells(need.patients_seeds, need.patients) <= 0.01
    assert plan.tells(need.patients_seeds, 0.9 * need.patients) > 0.01
    assert "takes other patients: about " in str(need)


def test_what_nothing_in_reach_tells_is_said():
    need = Plan(shared=0.0, total=0.5**2, of_patients=0.0, patients=300, seeds=3).needed(0.001)
    assert (need.seeds, need.patients) == (None, None)
    assert "out of reach" in str(need)


def test_more_patients_and_more_seeds_tell_smaller_differences():
    found = tables(expected(1_000))
    assert [patients for patients, _ in found] == [1_000, 2_000, 4_000]
    for (_, fewer), (_, more) in itertools.pairwise(found):
        assert all(b < a for a, b in zip(fewer, more, strict=True))
    assert all(len(told) == len(SEEDS) and told == sorted(told, reverse=True) for _, told in found)
