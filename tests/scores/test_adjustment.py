import numpy as np
import pytest
from scipy.special import softmax

from dermlab.calibrate.adjustment import choose_tau
from dermlab.scores.adjustment import TAUS, adjusted, two_aims

PRIOR = np.array([0.7, 0.2, 0.05, 0.05])


def made(rows: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn by PRIOR, and the probabilities of the best classifier for Gaussian scores: the likelihood times the prior."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, rows, p=PRIOR)
    seen = rng.normal(size=(rows, 4)) + 1.5 * np.eye(4)[labels]
    return labels, softmax(1.5 * seen + np.log(PRIOR), axis=1)


@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_it_is_the_softmax_of_the_logits_less_tau_log_prior(temperature):
    logits = np.random.default_rng(1).normal(size=(50, 4)) * 3
    probs = softmax(logits / temperature, axis=1)
    np.testing.assert_allclose(adjusted(probs, PRIOR, 0.8, temperature), softmax((logits - 0.8 * np.log(PRIOR)) / temperature, axis=1))
    back = adjusted(adjusted(probs, PRIOR, 0.8, temperature), PRIOR, -0.8, temperature)
    np.testing.assert_allclose(back, probs)
    np.testing.assert_array_equal(adjusted(probs, PRIOR, 0, temperature), probs)


def test_a_tau_of_one_gives_up_top1_for_balanced_accuracy():
    labels, probs = made(40_000)
    plain, taken_out = (two_aims(labels, adjusted(probs, PRIOR, tau, 1.0)) for tau in (0.0, 1.0))
    assert plain[0] > taken_out[0] + 0.02
    assert plain[1] < taken_out[1] - 0.02
    assert 0 < choose_tau(labels, probs, PRIOR, 1.0) <= 1.2


def test_without_anything_to_gain_there_is_no_adjustment():
    labels = np.array([0, 1, 2])
    assert choose_tau(labels, np.eye(4)[labels] * 0.999 + 0.00025, PRIOR, 1.0) == 0.0
    assert choose_tau(np.array([3, 3]), np.full((2, 4), 0.25), PRIOR, 1.0) == 0.0
    assert TAUS[0] == 0.0
    assert TAUS[-1] == 1.5
