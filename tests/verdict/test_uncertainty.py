"""Patients and trainings in one interval, in closed form."""

import numpy as np
import pytest
from scipy.stats import t

from dermlab.scores.influence import Measured
from dermlab.verdict.uncertainty import FIELD_SIGMA, estimate, noise_of

PATIENTS = 60


def run(value: float, moves: np.ndarray | None = None) -> Measured:
    moves = np.zeros((PATIENTS, 1)) if moves is None else moves
    moves = moves.astype(np.float32)
    return Measured(np.array([value]), moves, moves, np.zeros((0, 1)))


def moves(seed: int, size: float) -> np.ndarray:
    made = np.random.default_rng(seed).choice([-1.0, 1.0], (PATIENTS, 1))
    made -= made.mean(0)
    return made * size / np.sqrt(np.square(made).sum())


def test_where_patients_move_nothing_the_interval_is_that_of_seeds_each_recipe_shrunk_to_all():
    base, new = {1: run(0.60), 2: run(0.62), 3: run(0.64)}, {4: run(0.65), 5: run(0.66), 6: run(0.70)}
    of_base, of_new = noise_of([base, new])
    own = [2 * 0.02**2, 2 * np.var([0.65, 0.66, 0.70], ddof=1)]
    pooled = sum(own) / 4
    expected = [(pooled + squares) / 3 for squares in own]
    assert [of_base.total[0], of_new.total[0]] == pytest.approx(expected)
    assert (of_base.degrees, of_base.pool) == (3, 4)
    found = estimate(new, base, of_new, of_base)
    error = np.sqrt(sum(expected) / 3)
    freedom = min(4, sum(expected) ** 2 / sum(each**2 / 3 for each in expected))
    assert found.half(0.05)[0] == pytest.approx(t.ppf(0.975, freedom) * error)
    assert found.p[0] == pytest.approx(2 * t.sf(0.05 / error, freedom))


def test_a_recipe_whose_runs_scatter_widens_its_own_interval_more_than_those_of_others():
    base, calm = ({seed: run(at + 0.001 * seed) for seed in range(4)} for at in (0.60, 0.62))
    wild = {seed + 10: run(0.6 + 0.05 * (-1) ** seed) for seed in range(4)}
    of_base, of_calm, of_wild = noise_of([base, calm, wild])
    halves = [estimate(new, base, noise, of_base).half(0.05)[0] for new, noise in ((calm, of_calm), (wild, of_wild))]
    assert halves[1] > 1.3 * halves[0]


def test_where_runs_of_a_recipe_agree_on_every_patient_the_interval_is_that_of_patients():
    base, new = ({seed: run(value, moves(7, size)) for seed in (1, 2, 3)} for value, size in ((0.6, 0.01), (0.7, 0.03)))
    of_base, noise = noise_of([base, new])
    found = estimate(new, base, noise, of_base)
    assert (noise.total[0], noise.of_patients[0]) == (pytest.approx(0, abs=1e-12), pytest.approx(0, abs=1e-12))
    assert found.error[0] == pytest.approx(0.02, rel=1e-3)
    assert found.half(0.05)[0] == pytest.approx(found.patients_half(0.05)[0])


def test_what_patients_do_to_one_run_alone_is_counted_once():
    """Two runs each, which differ only in photos of which each has its own luck: the spread between them holds it all."""
    base, new = ({seed: run(value, moves(seed + at, 0.02)) for seed, value in ((1, 0.60), (2, 0.64))} for at in (10, 20))
    of_base, of_new = noise_of([base, new])
    found = estimate(new, base, of_new, of_base)
    assert of_base.of_patients[0] == pytest.approx(np.square(moves(11, 0.02) - moves(12, 0.02)).sum() / 2, rel=1e-3)
    assert of_new.of_patients[0] == pytest.approx(np.square(moves(21, 0.02) - moves(22, 0.02)).sum() / 2, rel=1e-3)
    patients = np.square((moves(21, 0.02) + moves(22, 0.02) - moves(11, 0.02) - moves(12, 0.02)) / 2).sum()
    shared = max(0, patients - (of_base.of_patients[0] + of_new.of_patients[0]) / 2)
    assert found.error[0] == pytest.approx(np.sqrt(shared + (of_base.total[0] + of_new.total[0]) / 2), rel=1e-3)


def test_one_run_each_is_judged_by_other_runs_and_without_them_by_the_field():
    base, new = {1: run(0.60, moves(1, 0.01))}, {1: run(0.62, moves(2, 0.01))}
    alone, _ = noise_of([base, new])
    assert (alone.total[0], alone.degrees) == (pytest.approx(FIELD_SIGMA**2), np.inf)
    assert "the field" in alone.source
    others = [{1: run(0.5), 2: run(0.6), 3: run(0.7)}]
    known, _ = noise_of([base, new], others)
    assert (known.total[0], known.pool) == (pytest.approx(0.01), 2)
    assert "other runs" in known.source
    assert estimate(new, base, known, known).half(0.05)[0] > 5 * estimate(new, base, alone, alone).half(0.05)[0]


def test_one_degree_of_freedom_is_never_alone():
    base, new = {1: run(0.600), 2: run(0.601)}, {1: run(0.62)}
    of_base, of_new = noise_of([base, new])
    pooled = (2 * FIELD_SIGMA**2 + 0.5e-6) / 3
    assert of_new.pool == 3
    assert of_new.total[0] == pytest.approx(pooled)
    assert of_base.total[0] == pytest.approx((pooled + 0.5e-6) / 2)


def test_a_spread_of_few_seeds_is_not_below_a_tenth_of_what_their_photos_explain():
    base, new = ({seed: run(0.6, moves(seed + at, 0.05)) for seed in (1, 2)} for at in (0, 5))
    for noise in noise_of([base, new]):
        assert noise.total[0] == pytest.approx(0.1 * noise.of_patients[0])
