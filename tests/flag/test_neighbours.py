import numpy as np
import pytest

from dermlab.flag import neighbours
from dermlab.flag.neighbours import nearest, outlier_score, similarity_of_pairs, votes
from dermlab.flag.not_skin import not_skin_score


def brute(features: np.ndarray, groups: np.ndarray, k: int) -> np.ndarray:
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    similarity = np.where(groups[:, None] == groups[None], -np.inf, unit @ unit.T)
    return np.sort(similarity, axis=1)[:, ::-1][:, :k]


@pytest.mark.parametrize("by_patient", [False, True])
def test_blocks_find_the_same_neighbours_as_the_whole_matrix(monkeypatch, by_patient):
    monkeypatch.setattr(neighbours, "BLOCK", 64)
    rng = np.random.default_rng(0)
    features, patients = rng.normal(size=(500, 24)).astype(np.float32), rng.integers(0, 120, 500)
    indices, similarity = nearest(features, 7, patients if by_patient else None)
    np.testing.assert_allclose(similarity, brute(features, patients if by_patient else np.arange(500), 7), atol=1e-3)
    own = patients if by_patient else np.arange(500)
    assert (own[indices] != own[:, None]).all()
    np.testing.assert_allclose(similarity_of_pairs(features, np.arange(500), indices[:, 0]), similarity[:, 0], atol=1e-5)


def test_candidates_of_the_principal_directions_hold_the_neighbours_and_are_compared_in_all(monkeypatch):
    monkeypatch.setattr(neighbours, "DIRECTIONS", 32)
    monkeypatch.setattr(neighbours, "LEAST_HELD", 0.5)
    monkeypatch.setattr(neighbours, "EXACT_AT_ONCE", 300)
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(1000, 128)) / np.arange(1, 129) ** 0.5) @ np.linalg.qr(rng.normal(size=(128, 128)))[0]
    exact, similarity = nearest(features, 10)
    monkeypatch.setattr(neighbours, "CONDENSED_FROM", 0)
    found, nearly = nearest(features, 10)
    kept = [len(set(row) & set(of)) for row, of in zip(found.tolist(), exact.tolist(), strict=True)]
    assert 0.97 < np.mean(kept) / 10 < 1
    np.testing.assert_allclose(similarity_of_pairs(features, np.arange(1000), found[:, 0]), nearly[:, 0], atol=1e-6)
    assert (similarity - nearly).mean() < 1e-3
    monkeypatch.setattr(neighbours, "LEAST_HELD", 0.99)  # the directions hold less: all is compared
    assert nearest(features, 10)[0].tolist() == exact.tolist()


def test_where_neighbours_run_out_the_rest_are_marked():
    features = np.eye(3, 5, dtype=np.float32) + 0.1
    indices, similarity = nearest(features, 4, np.array([0, 0, 1]))
    assert indices[0].tolist() == [2, -1, -1, -1]
    assert set(indices[2, :2]) == {0, 1}
    assert (similarity[0, 1:] == -1).all()


def test_neighbours_vote_and_one_more_vote_is_shared_by_frequency():
    labels = np.array([0, 0, 0, 1])
    cast = votes(np.array([[1, 2, 3], [3, -1, -1]]), labels, 2)
    frequency = np.array([3.5, 1.5]) / 5
    np.testing.assert_allclose(cast, (frequency + np.array([[2, 1], [0, 1]])) / [[4], [2]])


def test_the_usual_row_scores_a_half_and_one_twice_as_far_off_three_quarters():
    distance = np.array([[0.1, 0.3], [0.2, 0.2], [0.4, 0.4], [0.0, 0.0], [0.2, 0.2]])
    score = outlier_score(np.zeros((5, 2), int), 1 - distance)
    np.testing.assert_allclose(score, [0.5, 0.5, 0.75, 0.0, 0.5], atol=1e-6)


def test_copies_of_one_photo_only_do_not_divide_by_zero():
    assert outlier_score(np.zeros((4, 3), int), np.ones((4, 3))).tolist() == [0, 0, 0, 0]


def test_a_neighbour_that_is_missing_is_not_one_far_off():
    rows = np.array([[1, 2], [0, 2], [0, -1], [-1, -1], [0, 1]])
    score = outlier_score(rows, np.where(rows < 0, -1, 1 - np.array([[0.2, 0.2], [0.2, 0.2], [0.2, 0.0], [0.0, 0.0], [0.4, 0.4]])))
    np.testing.assert_allclose(score, [0.5, 0.5, 0.5, 0.5, 0.75], atol=1e-6)
    assert outlier_score(np.full((3, 2), -1), np.full((3, 2), -1.0)).tolist() == [0.5, 0.5, 0.5]


def test_photos_of_the_patient_with_most_of_them_are_no_odder_than_those_of_the_others():
    rng = np.random.default_rng(0)
    features, patients = 1 + 0.1 * rng.normal(size=(60, 16)), np.repeat([0, 1], [55, 5])
    score = outlier_score(*nearest(features, 10, patients))
    assert abs(np.median(score[:55]) - np.median(score[55:])) < 0.2


def test_garbage_that_lies_together_is_unlike_skin_although_it_has_near_neighbours():
    rng = np.random.default_rng(0)
    skin = rng.normal(size=(1000, 40)) @ rng.normal(size=(40, 40)) * 0.2 + 5
    documents = rng.normal(size=(25, 40)) * 0.01 + 5 + 40 * np.eye(40)[3]
    features = np.concatenate([skin, documents]).astype(np.float16)
    score = not_skin_score(features)
    assert score[1000:].min() > 0.9
    assert np.quantile(score[:1000], 0.95) < 0.5
    assert outlier_score(*nearest(features, 5))[1000:].max() < 0.5
