"""Moves sum to the variance that other patients bring."""

import numpy as np
import pytest

from dermlab.scores.bootstrap import resample
from dermlab.scores.counts import balanced_accuracy, f1, top1
from dermlab.scores.headline import tally
from dermlab.scores.influence import degrees, measure, variance


def scores(counted):
    return np.concatenate([top1(counted)[..., None], f1(counted)], -1)


def made(patients: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), rng.integers(1, 5, patients))
    labels = rng.integers(3, size=len(patient))
    logits = rng.normal(size=(len(patient), 3))
    logits[np.arange(len(patient)), labels] += 1.5
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return tally(labels, probs, patient)


def test_the_moves_of_a_mean_over_patients_are_those_of_its_standard_error():
    """One photo each: top-1 is a mean of 0s and 1s, whose error has a closed form. A patient more weighs 1 / (P + 1)."""
    rng = np.random.default_rng(1)
    right = rng.random(200) < 0.7
    labels = np.zeros(200, int)
    probs = np.where(right[:, None], [[0.9, 0.1]], [[0.1, 0.9]])
    found = measure(tally(labels, probs, np.arange(200)), lambda counted: top1(counted)[..., None])
    expected = right.mean() * (1 - right.mean()) / 199
    assert found.values[0] == pytest.approx(right.mean())
    assert variance(found.added)[0] == pytest.approx(expected * (200 / 201) ** 2, rel=1e-4)
    assert variance(found.left_out)[0] == pytest.approx(expected * (200 / 199) ** 2, rel=1e-4)
    assert abs(found.added.sum()) < 1e-6


def test_they_tell_what_a_bootstrap_of_many_draws_tells():
    by_patient = made(400)
    found = measure(by_patient, scores)
    (draws,) = resample([by_patient], 4000, 1)
    assert np.sqrt((variance(found.added) + variance(found.left_out)) / 2) == pytest.approx(scores(draws).std(0), rel=0.06)


def test_a_score_that_rests_on_few_patients_has_few_degrees_of_freedom():
    even, uneven = np.tile([[1.0], [-1.0]], (50, 1)), np.zeros((100, 1))
    uneven[:4, 0] = [1, -1, 1, -1]
    assert degrees(even)[0] == 99
    assert 1 <= degrees(uneven)[0] < 9
    assert degrees(np.zeros((100, 1)))[0] == 99


def test_a_class_without_a_row_moves_nothing():
    labels = np.zeros(30, int)
    found = measure(tally(labels, np.tile([[0.8, 0.2]], (30, 1)), np.arange(30)), f1)
    assert np.isnan(found.values[1])
    assert not found.added[:, 1].any()


def test_a_class_of_one_patient_moves_the_mean_over_classes_only_when_the_patient_leaves():
    labels = np.array([0] * 20 + [1])
    probs = np.where((labels == 0)[:, None], [[0.9, 0.1]], [[0.9, 0.1]])
    found = measure(tally(labels, probs, np.arange(21)), lambda counted: balanced_accuracy(counted)[..., None])
    assert abs(found.added[20, 0]) < 1e-3
    assert abs(found.left_out[20, 0]) > 0.4
