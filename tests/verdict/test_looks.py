import numpy as np
import pytest
from scipy.special import ndtri

from dermlab.run.errors import ParamsError
from dermlab.verdict.looks import chance_of_an_answer, level, level_at, looks_of, read_looks
from dermlab.verdict.power import Plan


def test_a_single_look_has_all_of_it():
    assert level([1.0], 0.05) == pytest.approx(0.05)


def test_the_bounds_are_those_of_the_books():
    """Five looks, evenly spaced, O'Brien-Fleming type spending at 0.05: 4.877, 3.357, 2.680, 2.290, 2.031 (Reboussin et al. 2000)."""
    fractions = [0.2, 0.4, 0.6, 0.8, 1.0]
    bounds = [-ndtri(level(fractions[: k + 1], 0.05) / 2) for k in range(5)]
    assert bounds == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=0.005)


@pytest.mark.parametrize("fractions", [[0.25, 0.4, 0.6, 1.0], [0.9, 0.95, 0.98, 1.0], [0.3, 0.3, 1.0]])
def test_over_all_looks_one_study_in_twenty_finds_what_is_not_there(fractions):
    bounds = [-ndtri(level(fractions[: k + 1], 0.05) / 2) for k in range(len(fractions))]
    rng = np.random.default_rng(1)
    steps = np.sqrt(np.diff([0.0, *fractions]))
    z = np.cumsum(rng.normal(size=(200_000, len(fractions))) * steps, axis=1) / np.sqrt(fractions)
    assert (np.abs(z) > bounds).any(1).mean() == pytest.approx(0.05, abs=0.003)


def test_the_level_rises_with_the_seeds_and_the_last_look_has_most_of_it():
    plan = Plan(shared=1e-6, total=1e-4, of_patients=1e-5, patients=1000, seeds=2)
    levels = [level_at((2, 3, 5, 8), seeds, plan, 0.05) for seeds in (1, 2, 3, 4, 5, 8, 20)]
    assert levels[0] < levels[1] < levels[2] == levels[3] < levels[4] < levels[5] == levels[6]
    assert 0.04 < levels[-1] < 0.05
    assert level_at((), 3, plan, 0.05) == 0.05


def test_where_patients_are_all_there_is_to_learn_the_first_look_has_nearly_all_of_it():
    plan = Plan(shared=1e-4, total=1e-8, of_patients=0.0, patients=1000, seeds=2)
    assert level_at((2, 3, 5, 8), 2, plan, 0.05) == pytest.approx(0.05, abs=0.001)


def test_a_recipe_is_given_up_where_more_seeds_would_not_tell():
    blunt = Plan(shared=0.02**2, total=0.004**2, of_patients=0.0, patients=100, seeds=2)
    sharp = Plan(shared=0.0005**2, total=0.01**2, of_patients=0.0, patients=10_000, seeds=2)
    assert chance_of_an_answer(0.01, blunt, (2, 3, 5, 8), 0.01, 0.05) < 0.1
    assert chance_of_an_answer(0.03, sharp, (2, 3, 5, 8), 0.01, 0.05) > 0.9


def test_looks_are_rising_counts():
    assert read_looks("2, 3,5") == (2, 3, 5)
    assert looks_of({"report": {"looks": "none"}}) == looks_of({}) == ()
    assert looks_of({"report": {"looks": "2,4"}}) == (2, 4)
    for wrong in ("3,2", "0,2", "two", "2,2"):
        with pytest.raises(ParamsError, match="report.looks"):
            read_looks(wrong)
