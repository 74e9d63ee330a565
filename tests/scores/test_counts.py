"""Counts and the scores that follow from them: scikit-learn's numbers, over the classes that have rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from dermlab.scores.counts import balanced_accuracy, confusion, count, f1, macro_f1, mean_of_present, precision, recall, top1

K = 5


@st.composite
def grouped_rows(draw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and predictions of 1 to 40 rows, any of the K classes missing from either, and the patient of each row."""
    rows = draw(st.lists(st.tuples(st.integers(0, K - 1), st.integers(0, K - 1), st.integers(0, 6)), min_size=1, max_size=40))
    labels, predicted, patient = np.array(rows).T
    return labels, predicted, np.unique(patient, return_inverse=True)[1]


@given(grouped_rows())
@settings(deadline=None)
def test_scores_of_counts_by_patient_are_scikit_learns(rows):
    labels, predicted, patient = rows
    counts = count(labels, predicted, K, patient).total()
    present = np.unique(labels)
    given_precision, given_recall, given_f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(K), zero_division=0
    )
    np.testing.assert_array_equal(counts.true, support)
    np.testing.assert_allclose(precision(counts), given_precision)
    np.testing.assert_allclose(recall(counts)[present], given_recall[present])
    np.testing.assert_allclose(f1(counts)[present], given_f1[present])
    assert top1(counts) == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert macro_f1(counts) == pytest.approx(metrics.f1_score(labels, predicted, labels=present, average="macro"))
    assert balanced_accuracy(counts) == pytest.approx(metrics.recall_score(labels, predicted, labels=present, average="macro"))


@given(grouped_rows(), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_a_weight_is_a_patient_that_comes_so_often(rows, seed):
    labels, predicted, patient = rows
    weights = np.random.default_rng(seed).integers(0, 4, patient.max() + 1)
    again = np.repeat(np.arange(len(labels)), weights[patient])
    weighted = count(labels, predicted, K, patient).weighted(weights[None])
    repeated = count(labels[again], predicted[again], K)
    np.testing.assert_allclose(f1(weighted)[0], f1(repeated))
    np.testing.assert_allclose(macro_f1(weighted)[0], macro_f1(repeated))
    np.testing.assert_allclose(precision(weighted)[0], precision(repeated))


def test_counts_without_groups_are_those_of_all_rows():
    counts = count(np.array([0, 0, 1]), np.array([0, 2, 1]), 3)
    assert (counts.hit.tolist(), counts.predicted.tolist(), counts.true.tolist()) == ([1, 1, 0], [1, 1, 1], [2, 1, 0])
    assert counts.rows == 3


def test_a_class_without_rows_has_no_recall_and_no_f1_and_is_in_no_mean():
    counts = count(np.array([0, 0, 1]), np.array([0, 2, 1]), 3)
    np.testing.assert_array_equal(recall(counts), [0.5, 1, np.nan])
    np.testing.assert_allclose(f1(counts), [2 / 3, 1, np.nan])
    assert precision(counts).tolist() == [1, 1, 0]
    assert macro_f1(counts) == pytest.approx(5 / 6)
    assert balanced_accuracy(counts) == 0.75


def test_where_only_one_class_was_tested_the_means_are_of_that_class():
    counts = count(np.array([1, 1, 1, 1]), np.array([1, 1, 1, 0]), 2)
    assert (macro_f1(counts), balanced_accuracy(counts), top1(counts)) == (pytest.approx(6 / 7), 0.75, 0.75)


def test_a_mean_of_nothing_does_not_exist():
    assert np.isnan(mean_of_present(np.array([np.nan, np.nan])))
    assert mean_of_present(np.array([[np.nan, 0.5], [0.25, 0.75]])).tolist() == [0.5, 0.5]


def test_the_rows_of_a_confusion_matrix_are_true_and_its_columns_predicted():
    assert confusion(np.array([0, 0, 2]), np.array([1, 0, 1]), 3).tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 0]]
