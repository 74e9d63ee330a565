import numpy as np
import pytest

from dermlab.flag.triage import garbage_probability, issues, review_ranks


def test_the_first_issue_that_applies_is_named():
    yes, no = np.array([True]), np.array([False])
    found = dict.fromkeys(("leak", "conflict", "garbage", "duplicate", "mislabeled", "hard"), no)
    assert issues(**found) == ["none"]
    assert issues(**found | {"hard": yes}) == ["hard"]
    assert issues(**found | {"hard": yes, "mislabeled": yes}) == ["mislabeled"]
    assert issues(**found | {"duplicate": yes, "conflict": yes, "garbage": yes}) == ["conflict"]
    assert issues(**dict.fromkeys(found, yes)) == ["leak"]


def test_an_odd_photo_among_neighbours_of_one_class_is_less_likely_garbage_than_one_among_all_classes():
    chance = np.full((3, 4), 0.25)
    votes = np.array([[0.25, 0.25, 0.25, 0.25], [0.97, 0.01, 0.01, 0.01], [0.25, 0.25, 0.25, 0.25]])
    score = np.array([0.99, 0.99, 0.2], dtype=np.float32)
    mixed, pure, usual = garbage_probability(score, votes, chance, k=10)
    assert mixed == pytest.approx(0.5, abs=1e-5)  # votes as by chance: odds of the score 99 to 1, expected 1 in 100
    divergence = (votes[1] * np.log(votes[1] / 0.25)).sum()
    assert np.log(pure / (1 - pure)) == pytest.approx(-10 * divergence, abs=1e-4)
    assert pure < usual < mixed


def test_conflicts_are_asked_first_then_garbage_then_what_is_likely_wrong_in_small_classes():
    issue = np.array(["mislabeled", "none", "conflict", "leak", "mislabeled", "hard", "duplicate", "garbage"])
    labels = np.array([0, 0, 0, 0, 1, 0, 0, 0])
    wrong = np.array([0.9, 0.1, 0.2, 0.99, 0.6, 0.3, 0.8, 0.7])
    ranks = review_ranks(issue, labels, wrong, np.array(list("abcdefgh")))
    assert ranks[[2, 7, 4, 0, 5]].tolist() == [1, 2, 3, 4, 5]  # 0.6 / 1 goes before 0.9 / sqrt(7)
    assert ranks[[1, 3, 6]].isna().all()


def test_equal_rows_are_ranked_by_id():
    ranks = review_ranks(np.array(["hard"] * 3), np.zeros(3, int), np.full(3, 0.5), np.array(["c", "a", "b"]))
    assert ranks.tolist() == [3, 1, 2]
