import numpy as np
import pytest
from cleanlab.filter import find_label_issues

from dermlab.flag.verdict import confident_learning, expected_transitions, noise_posterior, pool_weight, posterior


def task() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of 4 classes, 5 % of them wrong, and probabilities that mostly know better."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 800)
    wrong = rng.random(800) < 0.05
    given = np.where(wrong, (true + 1) % 4, true)
    logits = rng.normal(size=(800, 4)) + 7 * np.eye(4)[true]
    return given, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), wrong


def test_confident_learning_is_cleanlabs():
    given, probs, _ = task()
    issues = confident_learning(given, probs[None])
    assert (issues.suggested[issues.label_issue] != given[issues.label_issue]).all()
    assert (issues.label_issue == find_label_issues(given, probs, filter_by="confident_learning")).all()


def test_quality_is_the_normalised_margin():
    given = np.array([0, 0, 1, 2])
    probs = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.0, 1.0, 0.0], [0.5, 0.4, 0.1]])
    np.testing.assert_allclose(confident_learning(given, probs[None]).quality, [0.75, 0.25, 1.0, 0.3], atol=1e-6)


def test_a_class_that_cannot_be_predicted_flags_nobody():
    given, probs, _ = task()
    alone = np.concatenate([given, [5, 5]])
    zeros = np.concatenate([np.concatenate([probs, np.zeros((800, 2))], axis=1), [[0.9, 0.1, 0, 0, 0, 0]] * 2])
    issues = confident_learning(alone, zeros[None])
    assert (issues.label_issue[:800] == confident_learning(given, probs[None]).label_issue).all()
    assert not issues.label_issue[800:].any()
    assert (issues.quality[800:] == 1).all()
    assert (issues.suggested < 4).all()


def test_the_posterior_finds_wrong_labels_and_names_the_right_ones():
    given, probs, wrong = task()
    verdict = posterior(given, probs[None], probs, np.arange(len(given)), 0.1)
    assert verdict.label_issue[wrong].mean() > 0.95
    assert verdict.label_issue[~wrong].mean() < 0.01
    assert (verdict.suggested[wrong] == (given[wrong] - 1) % 4).mean() > 0.95
    assert verdict.suggested_prob[verdict.label_issue].min() > 0.3
    assert (verdict.quality[verdict.label_issue] < 0.5).all()


def test_a_rare_class_is_not_doubted_for_being_rare_as_a_common_one_would_be():
    """Both classes' rows are given 0.1 by the classifier and 0.9 goes to the other; but errors go to common classes."""
    labels = np.r_[np.zeros(900, int), np.ones(100, int)]
    probs = np.where(np.eye(2)[labels] > 0, 0.9, 0.1)
    probs[:20], probs[900:920] = [0.1, 0.9], [0.9, 0.1]
    transitions = expected_transitions(labels, probs, 0.1)
    np.testing.assert_allclose(transitions, [[0.9, 0.1], [0.1, 0.9]], atol=1e-9)  # two classes: all noise goes to the other
    three = np.r_[labels, np.full(100, 2)]
    probs = np.where(np.eye(3)[three] > 0, 0.8, 0.1)
    common, rare = expected_transitions(three, probs, 0.1)[1, [0, 2]]
    assert common / rare == pytest.approx(900.5 / 100.5, rel=0.01)


def test_bayes_with_known_transitions_is_closed_form():
    labels, probs = np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])
    transitions = np.array([[0.9, 0.1], [0.4, 0.6]])
    heavy = noise_posterior(np.repeat(labels, 1), probs, transitions)
    assert heavy.sum(axis=1) == pytest.approx(1)
    one_step = probs * transitions.T[labels]
    first = one_step / one_step.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(first, [[0.9 / 1.3, 0.4 / 1.3], [0.1 / 0.7, 0.6 / 0.7]])
    assert np.abs(heavy - first).max() < 0.25  # a few steps refine the expectation, they do not overturn it


def test_photos_of_a_case_are_judged_together():
    given, probs, _ = task()
    sure = np.array([0.97, 0.01, 0.01, 0.01])
    given = np.r_[given, 1, 1, 1]
    probs = np.r_[probs, [sure], [sure], [[0.3, 0.5, 0.1, 0.1]]]
    alone = posterior(given, probs[None], probs, np.arange(len(given)), 0.1)
    cases = np.r_[np.arange(800), 900, 900, 900]
    together = posterior(given, probs[None], probs, cases, 0.1)
    assert alone.quality[-1] > 0.5  # its own photo would pass
    assert together.quality[-1] < 0.5
    assert len(set(together.quality[-3:])) == 1


def test_an_issue_must_hold_in_every_repeat_of_the_folds():
    given, probs, _ = task()
    given = np.r_[given, 1]
    against, undecided = [0.9, 0.04, 0.03, 0.03], [0.3, 0.6, 0.05, 0.05]
    same = np.stack([np.r_[probs, [against]]] * 3)
    split = np.stack([np.r_[probs, [row]] for row in (against, against, undecided)])
    cases = np.arange(801)
    assert posterior(given, same, same[0], cases, 0.1).label_issue[-1]
    assert not posterior(given, split, same[0], cases, 0.1).label_issue[-1]


def test_neighbours_that_know_nothing_have_no_say_and_those_that_know_more_have_the_most():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 900)
    blind = np.log(np.full((900, 3), 1 / 3))
    knowing = np.log(np.where(np.eye(3)[labels] > 0, 0.8, 0.1))
    assert pool_weight(labels, knowing, blind) < 0.01
    assert pool_weight(labels, blind, knowing) > 0.99
