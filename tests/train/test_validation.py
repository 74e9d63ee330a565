import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.metrics import f1_score

from dermlab.train.validation import LEAST_T, fit_temperature, validate


def test_an_epoch_is_judged_by_scikit_learns_macro_f1_of_the_classes_that_occur():
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(60, 10)), random.integers(0, 7, 60)  # classes 7 and 8 are predicted and never true
    expected = f1_score(labels, logits[:, :9].argmax(1), labels=range(7), average="macro")
    assert validate(logits, labels).macro_f1 == pytest.approx(expected)


def test_other_is_left_out_of_the_ranking_and_of_the_rows():
    logits = np.array([[2.0, 1.0, 9.0], [0.0, 1.0, 9.0], [0.0, 5.0, -9.0]])  # the last output is `other`
    judged = validate(logits, np.array([0, 0, 2]))
    assert judged.top1 == 0.5
    assert judged.macro_f1 == pytest.approx(2 / 3)  # of class 0: class 1 has no row
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
