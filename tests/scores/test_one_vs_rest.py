"""Each class against the others."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, precision_recall_curve, roc_auc_score

from dermlab.scores.one_vs_rest import one_vs_rest, precision_recall


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels, probs = random.integers(0, 3, 300), random.dirichlet(np.ones(4), 300)
    probs[np.arange(300), labels] += 0.3
    return labels, probs


def test_specificity_is_the_true_negatives_of_the_confusion_matrix(rows):
    labels, probs = rows
    matrix = confusion_matrix(labels, probs.argmax(1), labels=range(4))
    for c, found in enumerate(one_vs_rest(labels, probs)[:3]):
        false = matrix[:, c].sum() - matrix[c, c]
        assert found["specificity"] == pytest.approx(1 - false / (300 - matrix[c].sum()))
        assert found["auroc"] == pytest.approx(roc_auc_score(labels == c, probs[:, c]))
        assert found["average_precision"] == pytest.approx(average_precision_score(labels == c, probs[:, c]))
        assert found["prevalence"] == pytest.approx((labels == c).mean())


def test_a_class_without_rows_has_no_such_scores(rows):
    assert one_vs_rest(*rows)[3] == {}
    assert one_vs_rest(np.zeros(5, int), np.full((5, 2), 0.5)) == [{}, {}]


def test_the_curve_runs_from_few_to_all_and_keeps_its_area(rows):
    labels, probs = rows
    line = precision_recall(labels == 1, probs[:, 1], points=100)
    recall, precision = np.array(line).T
    assert len(line) <= 100
    assert (recall[0], recall[-1]) == (0, 1)
    assert (np.diff(recall) >= 0).all()
    assert precision[-1] == pytest.approx((labels == 1).mean())
    area = float(np.sum(np.diff(recall) * precision[1:]))
    assert area == pytest.approx(average_precision_score(labels == 1, probs[:, 1]), abs=0.02)


def test_the_curve_is_that_of_scikit_learn_also_where_scores_tie(rows):
    labels, probs = rows
    for score in (probs[:, 1], probs[:, 1].round(1)):
        precision, recall, _ = precision_recall_curve(labels == 1, score)
        assert precision_recall(labels == 1, score, points=1000) == list(zip(recall[::-1].tolist(), precision[::-1].tolist(), strict=True))
