import numpy as np
import pytest
from scipy.special import log_softmax

from dermlab.calibrate.temperature import LEAST_T, fit_temperature


def test_the_temperature_is_found_that_made_calibrated_logits_overconfident():
    random = np.random.default_rng(0)
    logits = random.normal(size=(20_000, 4)) * 2
    labels = (logits + random.gumbel(size=logits.shape)).argmax(1)  # so that softmax(logits) is the truth
    assert fit_temperature(logits * 2.5, labels) == pytest.approx(2.5, rel=0.03)
    assert fit_temperature(logits * 0.4, labels) == pytest.approx(0.4, rel=0.03)


def negative_log_likelihood(logits, labels, temperature):
    return -log_softmax(logits / temperature, 1)[np.arange(len(labels)), labels].mean()


def test_where_validation_is_all_right_the_temperature_does_not_claim_certainty():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 100)
    logits = np.eye(3)[labels] * 4 + random.normal(size=(100, 3)) * 0.3
    assert (logits.argmax(1) == labels).all()
    assert 0.5 < fit_temperature(logits, labels) < 1
    assert fit_temperature(np.eye(3) * 10, np.arange(3)) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("rows", [1, 2, 5, 30, 300])
@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0, 40.0])
def test_validation_is_never_less_likely_than_without_a_temperature(rows, scale):
    random = np.random.default_rng(rows)
    logits, labels = random.normal(size=(rows, 4)) * scale, random.integers(0, 4, rows)
    fitted = fit_temperature(logits, labels)
    assert LEAST_T <= fitted <= 1 / LEAST_T
    assert negative_log_likelihood(logits, labels, fitted) <= negative_log_likelihood(logits, labels, 1.0) + 1e-12


def test_a_few_rows_move_the_temperature_less_than_many():
    random = np.random.default_rng(3)
    logits = random.normal(size=(4_000, 4)) * 2
    labels = (logits + random.gumbel(size=logits.shape)).argmax(1)
    few, many = fit_temperature(logits[:10] * 3, labels[:10]), fit_temperature(logits * 3, labels)
    assert 1 < few < many == pytest.approx(3, rel=0.1)
