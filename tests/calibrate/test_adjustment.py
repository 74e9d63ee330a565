"""A tau is advised only where patients that did not choose it confirm it."""

import numpy as np

from dermlab.calibrate.adjustment import choose_tau, holds
from dermlab.scores.probabilities import probabilities

PRIOR = np.array([0.70, 0.20, 0.06, 0.02, 0.02])


def made(patients: int, learnt: float, seed: int = 0):
    """Logits of photos, two a patient, that hold `learnt` times the log of the prior too much."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, patients, p=[0.4, 0.3, 0.2, 0.1]).repeat(2)
    logits = rng.normal(size=(len(labels), 5)) + learnt * np.log(PRIOR)
    logits[np.arange(len(labels)), labels] += 1.5
    return labels, probabilities(logits, 1.0), np.arange(patients).repeat(2).astype(str)


def test_a_prior_that_stands_in_the_logits_is_taken_out_and_that_holds():
    labels, probs, people = made(400, 1.0)
    assert choose_tau(labels, probs, PRIOR, 1.0) > 0.5
    assert holds(labels, probs, PRIOR, 1.0, people, 17)


def test_what_was_best_by_chance_does_not_hold():
    found = [holds(*made(60, 0.0, seed)[:2], PRIOR, 1.0, made(60, 0.0, seed)[2], 17) for seed in range(40)]
    assert sum(choose_tau(*made(60, 0.0, seed)[:2], PRIOR, 1.0) > 0 for seed in range(40)) > 10
    assert sum(found) <= 3


def test_without_patients_enough_nothing_holds():
    labels, probs, people = made(400, 1.0)
    assert not holds(labels[:8], probs[:8], PRIOR, 1.0, people[:8], 17)
    assert not holds(labels, probs, PRIOR, 1.0, np.array(["one"] * len(labels)), 17)
    assert not holds(np.full(8, 4), probs[:8], PRIOR, 1.0, people[:8], 17)  # `other` alone
