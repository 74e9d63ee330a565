"""The headline: scikit-learn's numbers for the whole split, the same by patient, and the same under weights as with rows repeated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from dermlab.scores.headline import HEADLINE, LEAST_PROBABILITY, Tally, headline, patients_behind, tally
from dermlab.scores.ranking import in_top, over_targets

K = 6


def predictions(seed: int, ties: bool, rows: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities of K classes (class 4 is never predicted, class 5 has no row) and patients."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(K - 1, rows, p=[0.4, 0.25, 0.15, 0.1, 0.1])
    logits = rng.normal(size=(rows, K)) + np.eye(K)[labels]
    logits = logits.round() if ties else logits
    logits[:, 4] = -9
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return labels, probs, np.unique(rng.integers(30, size=rows), return_inverse=True)[1]


@given(st.integers(0, 1000), st.booleans())
@settings(deadline=None, max_examples=30)
def test_the_headline_of_a_tally_by_patient_is_scikit_learns(seed, ties):
    labels, probs, patient = predictions(seed, ties)
    predicted, present = probs.argmax(1), np.unique(labels)
    found = headline(tally(labels, probs, patient).total(), rare=[3, 5], sink=0)
    assert list(found) == list(HEADLINE)
    assert found["top1"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    # Of equal probabilities scikit-learn ranks the last class first, so it is shown the classes in reverse.
    reversed_top3 = metrics.top_k_accuracy_score(K - 1 - labels, probs[:, ::-1], k=3, labels=range(K))
    assert found["top3"] == pytest.approx(reversed_top3)
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(labels, predicted, labels=present, average="macro"))
    recall = metrics.recall_score(labels, predicted, labels=range(K), average=None, zero_division=0)
    assert found["balanced_accuracy"] == pytest.approx(recall[present].mean())
    assert found["rare_recall"] == pytest.approx(recall[3])  # class 5 has no row
    assert found["sink_ratio"] == pytest.approx((predicted == 0).sum() / (labels == 0).sum())
    assert found["nll"] == pytest.approx(metrics.log_loss(labels, probs, labels=range(K)))
    assert found["brier"] == pytest.approx(np.square(probs - np.eye(K)[labels]).sum(1).mean())


@given(st.integers(0, 1000), st.booleans())
@settings(deadline=None, max_examples=30)
def test_a_resample_has_the_headline_of_its_patients_rows_repeated(seed, ties):
    labels, probs, patient = predictions(seed, ties)
    weights = np.random.default_rng(seed).integers(0, 4, patient.max() + 1)
    again = np.repeat(np.arange(len(labels)), weights[patient])
    found = headline(tally(labels, probs, patient).weighted(weights[None]), [3, 5], 1)
    expected = headline(tally(labels[again], probs[again]), [3, 5], 1)
    for name in HEADLINE:
        assert found[name][0] == pytest.approx(float(expected[name]), nan_ok=True)


def test_scores_that_do_not_exist_are_not_numbers():
    """One class was tested, neither a rare one nor the commonest."""
    found = headline(tally(np.array([1, 1]), np.array([[0.3, 0.7, 0], [0.6, 0.4, 0]])), rare=[2], sink=0)
    assert (found["top1"], found["top3"], found["balanced_accuracy"]) == (0.5, 1, 0.5)
    assert found["macro_f1"] == pytest.approx(2 / 3)
    assert np.isnan([found["rare_recall"], found["sink_ratio"]]).all()
    assert found["brier"] == pytest.approx((0.3**2 + 0.3**2 + 0.6**2 + 0.6**2) / 2)
    assert found["nll"] == pytest.approx(-np.log([0.7, 0.4]).mean())


def test_a_class_that_was_ruled_out_and_is_right_costs_a_finite_surprise():
    found = headline(tally(np.array([1]), np.array([[1.0, 0.0]])), rare=[1], sink=0)
    assert (found["brier"], found["nll"]) == (2, pytest.approx(-np.log(LEAST_PROBABILITY)))


def test_equal_probabilities_rank_in_class_order():
    labels, probs = np.arange(4), np.full((4, 4), 0.25)
    assert in_top(labels, probs, 3).tolist() == [True, True, True, False]
    found = headline(tally(labels, probs), [0], 0)
    assert (found["top1"], found["top3"]) == (0.25, 0.75)


def test_other_is_taken_out_of_the_ranking():
    np.testing.assert_allclose(over_targets(np.array([[0.1, 0.3, 0.6], [0.0, 0.0, 1.0]])), [[0.25, 0.75], [0.5, 0.5]])


def test_rare_recall_rests_on_the_patients_who_have_a_rare_class():
    true = np.array([[2, 0, 0], [1, 0, 3], [0, 1, 1], [0, 2, 0]])
    behind = patients_behind(Tally(true, true, true, *[true.sum(1)] * 3), rare=np.array([2]))
    assert behind["rare_recall"] == 2
    assert {behind[name] for name in HEADLINE if name != "rare_recall"} == {4}
