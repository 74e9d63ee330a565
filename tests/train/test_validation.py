import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.metrics import f1_score

from dermlab.train.validation import fit_temperature, macro_f1, validate


def test_macro_f1_is_scikit_learns():
    random = np.random.default_rng(0)
    truth, predicted = random.integers(0, 7, 60), random.integers(2, 9, 60)
    assert macro_f1(truth, predicted) == pytest.approx(f1_score(truth, predicted, average="macro"))


def test_other_is_left_out_of_the_ranking_and_of_the_rows():
    logits = np.array([[2.0, 1.0, 9.0], [0.0, 1.0, 9.0], [0.0, 5.0, -9.0]])  # the last output is `other`
    judged = validate(logits, np.array([0, 0, 2]))
    assert judged.top1 == 0.5
    assert judged.macro_f1 == pytest.approx((2 / 3 + 0) / 2)
    assert judged.score == pytest.approx((judged.top1 + judged.macro_f1) / 2)


def test_a_validation_split_of_nothing_but_other_has_a_score():
    judged = validate(np.zeros((2, 3)), np.array([2, 2]))
    assert (judged.top1, judged.macro_f1) == (0.0, 0.0)
    assert judged.nll == pytest.approx(np.log(3))


def test_the_temperature_is_found_that_made_calibrated_logits_overconfident():
    random = np.random.default_rng(0)
    logits = random.normal(size=(20_000, 4)) * 2
    labels = (logits + random.gumbel(size=logits.shape)).argmax(1)  # so that softmax(logits) is the truth
    assert fit_temperature(logits * 2.5, labels) == pytest.approx(2.5, rel=0.03)
    assert fit_temperature(logits * 0.4, labels) == pytest.approx(0.4, rel=0.03)


def test_the_temperature_minimises_the_likelihood_as_scipy_does():
    random = np.random.default_rng(1)
    logits, labels = random.normal(size=(50, 3)) * 3, random.integers(0, 3, 50)
    best = minimize_scalar(lambda t: -log_softmax(logits / t, 1)[np.arange(50), labels].mean(), bounds=(0.05, 20), method="bounded")
    assert fit_temperature(logits, labels) == pytest.approx(best.x, rel=1e-3)


def test_the_temperature_of_a_perfect_classifier_stays_finite():
    assert 0.05 <= fit_temperature(np.eye(3) * 10, np.arange(3)) < 1
