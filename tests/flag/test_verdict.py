import numpy as np
import pytest
from cleanlab.filter import find_label_issues

from dermlab.flag.probabilities import OutOfFoldProbabilities
from dermlab.flag.verdict import confident_learning, odds_at, pool_weight, posterior, surest


def of(*draws: np.ndarray) -> OutOfFoldProbabilities:
    return OutOfFoldProbabilities(np.stack(draws), np.stack(draws), None)


def judge(given, probs, cases=None, precision=0.8, expected_noise=None, opinions=None):
    cases = np.arange(len(given)) if cases is None else cases
    return posterior(given, of(probs), probs, cases, np.ones(len(given), dtype=bool), precision, expected_noise, opinions)


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
    issues = confident_learning(given, of(probs))
    assert (issues.suggested[issues.label_issue] != given[issues.label_issue]).all()
    assert (issues.label_issue == find_label_issues(given, probs, filter_by="confident_learning")).all()


def test_quality_is_the_normalised_margin():
    given = np.array([0, 0, 1, 2])
    probs = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.0, 1.0, 0.0], [0.5, 0.4, 0.1]])
    np.testing.assert_allclose(confident_learning(given, of(probs)).quality, [0.75, 0.25, 1.0, 0.3], atol=1e-6)


def test_a_class_that_cannot_be_predicted_flags_nobody():
    given, probs, _ = task()
    alone = np.concatenate([given, [5, 5]])
    zeros = np.concatenate([np.concatenate([probs, np.zeros((800, 2))], axis=1), [[0.9, 0.1, 0, 0, 0, 0]] * 2])
    issues = confident_learning(alone, of(zeros))
    assert (issues.label_issue[:800] == confident_learning(given, of(probs)).label_issue).all()
    assert not issues.label_issue[800:].any()
    assert (issues.quality[800:] == 1).all()
    assert (issues.suggested < 4).all()


def test_no_row_is_held_to_be_of_a_class_that_cannot_be_judged():
    given = np.array([0, 0, 0, 1, 1, 2])
    probs = np.array([[0.7, 0.3, 0], [0.4, 0, 0.6], [0.8, 0.2, 0], [0.2, 0.8, 0], [0, 0.1, 0.9], [0.6, 0.4, 0]])
    found = confident_learning(given, of(probs))
    assert found.suggested.tolist() == [1, 1, 1, 0, 0, 0]
    np.testing.assert_allclose(found.suggested_prob, [0.3, 0, 0.2, 0.2, 0, 0.6], atol=1e-6)
    alone = confident_learning(np.array([0, 0, 1]), of(np.array([[0.9, 0.1], [0.8, 0.2], [1.0, 0.0]])))
    assert alone.suggested.tolist() == [1, 1, 0]  # there is no other


def test_a_row_wholly_on_a_class_that_cannot_be_judged_is_as_likely_of_each_other():
    given = np.array([0, 0, 0, 1, 1, 1, 2])
    found = confident_learning(given, of(np.eye(3, dtype=np.float32)[[0, 0, 2, 1, 1, 0, 0]]))
    np.testing.assert_allclose(found.quality, [1, 1, 0.5, 1, 1, 0, 1], atol=1e-6)
    assert found.label_issue.tolist() == [False] * 5 + [True, False]


def test_the_posterior_finds_wrong_labels_and_names_the_right_ones():
    given, probs, wrong = task()
    verdict = judge(given, probs)
    assert verdict.label_issue[wrong].mean() > 0.95
    assert verdict.label_issue[~wrong].mean() < 0.01
    assert (verdict.suggested[wrong] == (given[wrong] - 1) % 4).mean() > 0.95
    assert (verdict.quality[verdict.label_issue] < 0.5).all()
    assert verdict.noise.rate == pytest.approx(wrong.mean(), abs=0.02)
    assert verdict.noise.at_least < wrong.mean()


def test_a_noise_that_is_known_is_not_estimated():
    given, probs, _ = task()
    verdict = judge(given, probs, expected_noise=0.2)
    assert (verdict.noise.rate, verdict.noise.at_least) == (0.2, None)
    assert verdict.quality.mean() < judge(given, probs, expected_noise=0.02).quality.mean()


def test_a_higher_rate_flags_more_and_leaves_the_other_classes_what_the_label_loses():
    given, probs, _ = task()
    muddled = probs**0.3 / (probs**0.3).sum(axis=1, keepdims=True)
    low, high = (judge(given, muddled, expected_noise=rate) for rate in (0.03, 0.08))
    assert low.label_issue.sum() < high.label_issue.sum()
    assert (high.quality + high.suggested_prob <= 1 + 1e-6).all()
    assert (high.suggested_prob > 1 - high.quality - 0.3)[high.label_issue].all()


def test_the_odds_of_being_wrong_are_scaled_to_the_rate():
    quality = np.array([0.5, 0.9])
    factor = odds_at(quality, 0.4)
    assert np.mean([factor / (1 + factor), factor / (9 + factor)]) == pytest.approx(0.4)


@pytest.mark.parametrize("rate", [0.001, 0.49])
@pytest.mark.parametrize("raters", [None, 10])
def test_a_rate_far_from_what_the_classifier_is_sure_of_is_reckoned_with_all_the_same(rate, raters):
    labels = np.arange(400) % 4
    sure = np.where(np.eye(4)[labels] > 0, 1 - 3e-7, 1e-7)
    verdict = judge(labels, sure, expected_noise=rate, opinions=None if raters is None else raters * np.eye(4)[labels])
    assert ((verdict.quality > 0.99) & (verdict.quality <= 1)).all()
    assert odds_at(np.ones(4), rate) > 1e10


def test_photos_of_a_case_are_judged_together():
    given, probs, _ = task()
    sure = np.array([0.97, 0.01, 0.01, 0.01])
    given = np.r_[given, 1, 1, 1]
    probs = np.r_[probs, [sure], [sure], [[0.3, 0.5, 0.1, 0.1]]]
    alone = judge(given, probs)
    together = judge(given, probs, np.r_[np.arange(800), 900, 900, 900])
    assert alone.quality[-1] > 0.5  # its own photo would pass
    assert together.quality[-1] < 0.5
    assert len(set(together.quality[-3:])) == 1


def test_raters_who_agree_outweigh_the_classifier():
    given, sure, wrong = task()
    probs = sure**0.2 / (sure**0.2).sum(axis=1, keepdims=True)
    alone = np.eye(4)[given]
    one, three = (judge(given, probs, opinions=votes) for votes in (alone, 3 * alone))
    assert (one.quality == judge(given, probs).quality).all()
    assert (three.quality[wrong] > one.quality[wrong]).all()
    assert three.label_issue.sum() < one.label_issue.sum()


def test_as_many_are_flagged_as_keep_the_precision_by_its_own_estimate():
    quality = np.array([0.9, 0.05, 0.3, 0.45, 0.15, 0.6])
    every = np.ones(6, dtype=bool)
    assert np.flatnonzero(surest(quality, every, 0.8)).tolist() == [1, 2, 4]  # (0.95 + 0.85 + 0.7) / 3 = 0.83; with 0.55 it is 0.76
    assert np.flatnonzero(surest(quality, every, 0.76)).tolist() == [1, 2, 3, 4]
    assert np.flatnonzero(surest(quality, every, 0.51)).tolist() == [1, 2, 3, 4]  # never a row that is more likely right
    assert not surest(quality, every, 0.96).any()
    assert np.flatnonzero(surest(quality, quality != 0.05, 0.8)).tolist() == [4]
    assert not surest(np.ones(6), every, 0.8).any()


def test_a_higher_precision_flags_fewer_and_what_it_expects_is_said():
    given, probs, _ = task()
    muddled = probs**0.3 / (probs**0.3).sum(axis=1, keepdims=True)
    strict, lax = (judge(given, muddled, precision=of) for of in (0.95, 0.6))
    assert 0 < strict.label_issue.sum() < lax.label_issue.sum()
    assert strict.expected_precision >= 0.95
    assert 0.6 <= lax.expected_precision <= 1 - lax.quality[lax.label_issue].mean() + 1e-6


def test_a_doubt_that_hangs_on_the_draw_of_the_folds_is_no_issue():
    given, probs, _ = task()
    given = np.r_[given, 1]
    against, undecided = [0.9, 0.04, 0.03, 0.03], [0.62, 0.33, 0.03, 0.02]
    same = [np.r_[probs, [against]]] * 3
    split = [np.r_[probs, [row]] for row in (against, against, undecided)]
    every, cases = np.ones(801, dtype=bool), np.arange(801)
    votes = np.full((801, 4), 0.25)
    sure, unsure = (posterior(given, of(*draws), votes, cases, every, 0.8) for draws in (same, split))
    assert sure.label_issue[-1]
    assert not unsure.label_issue[-1]
    assert unsure.quality[-1] < 0.5  # the doubt itself is said


def test_neighbours_that_know_nothing_have_no_say_and_those_that_know_more_have_the_most():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 900)
    blind = np.log(np.full((900, 3), 1 / 3))
    knowing = np.log(np.where(np.eye(3)[labels] > 0, 0.8, 0.1))
    assert pool_weight(labels, knowing, blind) < 0.01
    assert pool_weight(labels, blind, knowing) > 0.99
