import numpy as np
import pytest
from sklearn import metrics

from dermlab.evaluate.calibration import calibration_bins, expected_calibration_error
from dermlab.evaluate.doubts import doubted
from dermlab.evaluate.scores import auroc, confusion, over_targets, per_class, rarest_third, top_k

K = 7


def predictions(seed: int, rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of K classes; class 5 is never predicted, class 6 has no row."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(K - 1, rows, p=[0.4, 0.2, 0.15, 0.1, 0.1, 0.05])
    logits = rng.normal(size=(rows, K)) + 1.5 * np.eye(K)[labels]
    logits[:, 5] = -9
    return labels, np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_scikit_learns(seed):
    labels, probs = predictions(seed)
    predicted, every = probs.argmax(1), range(K)
    matrix = confusion(labels, predicted, K)
    scores = per_class(matrix)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(labels, predicted, labels=every))
    np.testing.assert_allclose(scores.precision, precision)
    np.testing.assert_allclose(scores.recall, recall)
    np.testing.assert_allclose(scores.f1, f1)
    np.testing.assert_array_equal(scores.support, support)
    assert top_k(labels, probs, 1) == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert top_k(labels, probs, 3) == pytest.approx(metrics.top_k_accuracy_score(labels, probs, k=3, labels=every))


@pytest.mark.parametrize("ties", [False, True])
def test_auroc_equals_scikit_learns(ties):
    rng = np.random.default_rng(0)
    score = rng.normal(size=300).round(1 if ties else 9)
    positive = rng.random(300) < 1 / (1 + np.exp(-score))
    assert auroc(positive, score) == pytest.approx(metrics.roc_auc_score(positive, score))


def test_other_is_taken_out_of_the_ranking():
    np.testing.assert_allclose(over_targets(np.array([[0.1, 0.3, 0.6], [0.0, 0.0, 1.0]])), [[0.25, 0.75], [0.5, 0.5]])


def test_the_rarest_third_is_at_least_one_class_and_ties_go_by_label():
    assert rarest_third(np.array([9, 1, 5, 1, 7, 8, 2])).tolist() == [1, 3]
    assert rarest_third(np.array([4, 3])).tolist() == [1]


def test_calibration_error_of_two_bins_by_hand():
    labels = np.array([0, 0, 1, 0])
    probs = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    bins = calibration_bins(labels, probs, 15)
    assert [b["rows"] for b in bins] == [1, 3]
    # 3/4 |2/3 - 0.9| + 1/4 |1 - 0.6|
    assert expected_calibration_error(bins) == pytest.approx(0.75 * (0.9 - 2 / 3) + 0.25 * 0.4)


def test_bins_hold_their_upper_edge_and_certainty_falls_in_the_last():
    bins = calibration_bins(np.array([0, 0]), np.array([[1.0, 0.0], [0.5, 0.5]]), 2)
    assert [(b["low"], b["high"], b["rows"]) for b in bins] == [(0.0, 0.5, 1), (0.5, 1.0, 1)]


def test_a_model_that_means_what_it_says_has_a_small_calibration_error():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 50_000)
    labels = (rng.random(50_000) > confidence).astype(int)
    assert expected_calibration_error(calibration_bins(labels, np.stack([confidence, 1 - confidence], 1), 15)) < 0.01


def test_wrong_test_labels_are_doubted_and_right_ones_are_not():
    rng = np.random.default_rng(0)
    true = rng.choice([0, 2, 3], 600)
    given = true.copy()
    given[:20] = np.where(true[:20] == 0, 2, 0)
    probs = np.full((600, 4), 0.02) + 0.92 * np.eye(4)[true] + rng.uniform(0, 0.01, (600, 4))
    probs /= probs.sum(1, keepdims=True)
    found = doubted(given, probs)
    assert found[:20].mean() >= 0.8
    assert not found[20:].any()
    assert not doubted(np.zeros(5, dtype=int), probs[:5]).any()
