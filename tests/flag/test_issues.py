import numpy as np
from cleanlab.filter import find_label_issues

from dermlab.flag.issues import find_issues


def task() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of 4 classes, 5 % of them wrong, and probabilities that mostly know better."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 800)
    wrong = rng.random(800) < 0.05
    given = np.where(wrong, (true + 1) % 4, true)
    logits = rng.normal(size=(800, 4)) + 7 * np.eye(4)[true]
    return given, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), wrong


def test_wrong_labels_are_found_and_named():
    given, probs, wrong = task()
    issues = find_issues(given, probs)
    assert issues.label_issue[wrong].mean() > 0.9
    assert issues.label_issue[~wrong].mean() < 0.05
    assert (issues.suggested[issues.label_issue] != given[issues.label_issue]).all()
    assert (issues.label_issue == find_label_issues(given, probs, filter_by="confident_learning")).all()


def test_quality_is_the_normalised_margin():
    given = np.array([0, 0, 1, 2])
    probs = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.0, 1.0, 0.0], [0.5, 0.4, 0.1]])
    np.testing.assert_allclose(find_issues(given, probs).quality, [0.75, 0.25, 1.0, 0.3], atol=1e-6)


def test_a_class_that_cannot_be_predicted_flags_nobody():
    given, probs, _ = task()
    alone = np.concatenate([given, [5, 5]])
    zeros = np.concatenate([np.concatenate([probs, np.zeros((800, 2))], axis=1), [[0.9, 0.1, 0, 0, 0, 0]] * 2])
    issues = find_issues(alone, zeros)
    assert (issues.label_issue[:800] == find_issues(given, probs).label_issue).all()
    assert not issues.label_issue[800:].any()
    assert (issues.quality[800:] == 1).all()
    assert (issues.suggested < 4).all()
