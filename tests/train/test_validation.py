import numpy as np
import pytest
from sklearn.metrics import f1_score

from dermlab.train.validation import validate


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
