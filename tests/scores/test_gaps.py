"""Gaps between groups of patients: standardised to the same diagnoses, and right as often as said."""

import numpy as np
import pytest

from dermlab.scores.gaps import Gaps, common_level, gap_intervals, gaps

CLASSES = 8
ODDS = 1 / np.arange(1, CLASSES + 1)
RECALL = np.linspace(0.85, 0.45, CLASSES)  # rare diagnoses are harder
SIMULATIONS = 1500


def clinic(seed: int, gap: float, patients: int = 500) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """inside, labels, right, person, and the true gap of each group. Two attributes: sex, and three ages, of which the oldest has harder
    diagnoses and, beyond them, a gap. A patient sends 1 to 4 photos that are right or wrong alike."""
    rng = np.random.default_rng(seed)
    sex, age = rng.integers(2, size=patients), rng.choice(3, patients, p=[0.45, 0.35, 0.2])
    odds = np.where((age == 2)[:, None], ODDS[::-1] + ODDS, ODDS)
    label = (odds.cumsum(1) / odds.sum(1, keepdims=True) < rng.random((patients, 1))).sum(1)
    photos = rng.integers(1, 5, patients)
    chance = RECALL[label] - gap * (age == 2)
    strength = 1.5  # of the beta distribution by which a patient's photos hang together
    own = rng.beta(chance * strength, (1 - chance) * strength)
    person = np.repeat(np.arange(patients), photos)
    right = rng.random(len(person)) < own[person]
    groups = np.stack([sex == 0, sex == 1, age == 0, age == 1, age == 2], axis=1)[person]
    # The rest of the young and of the middle-aged are partly old: their gap is minus what the old among them lose, at the group's mix
    return groups, label[person], right, person, age[person]


def true_gaps(gap: float) -> np.ndarray:
    """By a large clinic of the same kind, whose rights are their chances."""
    inside, labels, _, _, age = clinic(0, gap, 200_000)
    chance = RECALL[labels] - gap * (age == 2)
    found = []
    for member in inside.T:
        of = [labels == d for d in range(CLASSES)]
        share = np.array([(member & d).sum() for d in of]) / member.sum()
        found.append(share @ np.array([chance[~member & d].mean() for d in of]) - chance[member].mean())
    return np.array(found)


def test_a_gap_is_that_of_the_formula():
    labels, right = np.array([0, 0, 1, 0, 0, 1, 1, 1]), np.array([1, 0, 0, 1, 1, 1, 0, 1], bool)
    inside = np.array([1, 1, 1, 0, 0, 0, 0, 0], bool)[:, None]
    found = gaps(inside, labels, right, np.arange(8), 2)
    assert found.values[0] == pytest.approx(2 / 3 * 1.0 + 1 / 3 * 2 / 3 - 1 / 3)
    assert found.patients.tolist() == [3]
    assert gap_intervals(found) == [None]


def test_harder_diagnoses_are_no_gap():
    inside, labels, right, person, _ = clinic(3, 0.0, 20_000)
    crude = right[~inside[:, 4]].mean() - right[inside[:, 4]].mean()
    assert crude > 0.05
    assert gaps(inside, labels, right, person, CLASSES).values[4] == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("gap", [0.0, 0.1])
def test_intervals_of_all_gaps_hold_together_as_often_as_said(gap):
    truth = true_gaps(gap)
    assert truth[4] == pytest.approx(gap, abs=0.004)
    held = told = 0
    for seed in range(SIMULATIONS):
        *rows, _ = clinic(1000 + seed, gap)
        found = gap_intervals(gaps(*rows, CLASSES))
        held += all(low <= true <= high for (low, high), true in zip(found, truth, strict=True))
        told += found[4][0] > 0
    assert 0.94 <= held / SIMULATIONS <= 0.965
    assert told / SIMULATIONS > 0.25 if gap else told / SIMULATIONS < 0.02


def test_few_patients_have_an_interval_or_none_and_what_the_others_lack_is_left_out():
    *rows, _ = clinic(1, 0.1, 46)
    found = gaps(*rows, CLASSES)
    for patients, interval in zip(found.patients, gap_intervals(found), strict=True):
        assert (interval is None) == (patients < 10)
    labels = np.array([0] * 30 + [1] * 10)
    inside = (np.arange(40) >= 15)[:, None]  # the group alone has diagnosis 1
    found = gaps(inside, labels, np.ones(40, bool), np.arange(40), 2)
    assert found.left_out.tolist() == [10]
    assert found.values[0] == 0
    alone = gaps((labels == 1)[:, None], labels, np.ones(40, bool), np.arange(40), 2)
    assert np.isnan(alone.values[0])
    assert gap_intervals(alone) == [None]


def test_the_level_of_each_is_that_of_one_where_all_say_the_same_and_of_many_where_none_does():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(200, 1))
    assert common_level(one, 0.05) == pytest.approx(0.05, abs=0.004)
    assert common_level(np.repeat(one, 5, axis=1) * [1, -1, 2, 1, 1], 0.05) == pytest.approx(0.05, abs=0.004)
    assert common_level(np.linalg.qr(rng.normal(size=(200, 10)))[0], 0.05) == pytest.approx(1 - 0.95**0.1, abs=0.001)
    assert gap_intervals(Gaps(np.zeros(0), np.zeros((9, 0)), np.zeros(0, int), np.zeros(0, int))) == []
