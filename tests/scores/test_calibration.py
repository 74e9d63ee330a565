import numpy as np
import pytest

from dermlab.scores.calibration import calibration_bins, confidence_bin, expected_calibration_error


def calibration_error(labels: np.ndarray, probs: np.ndarray, bins: int) -> float:
    return expected_calibration_error(calibration_bins(labels, probs, bins))


def test_calibration_error_of_two_bins_by_hand():
    labels = np.array([0, 0, 1, 0])
    probs = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    assert [b["rows"] for b in calibration_bins(labels, probs, 15)] == [1, 3]
    # 3/4 |2/3 - 0.9| + 1/4 |1 - 0.6|
    assert calibration_error(labels, probs, 15) == pytest.approx(0.75 * (0.9 - 2 / 3) + 0.25 * 0.4)


def test_bins_hold_their_upper_edge_and_certainty_falls_in_the_last():
    assert confidence_bin(np.array([0.0, 0.25, 0.5, 0.75, 1.0]), 2).tolist() == [0, 0, 0, 1, 1]
    bins = calibration_bins(np.array([0, 0]), np.array([[1.0, 0.0], [0.5, 0.5]]), 2)
    assert [(b["low"], b["high"], b["rows"]) for b in bins] == [(0.0, 0.5, 1), (0.5, 1.0, 1)]


def test_no_row_falls_between_bins_whatever_their_number():
    rng = np.random.default_rng(0)
    for bins in range(1, 21):
        confidence = rng.integers(10, 21, 60) / 20  # many of them on the edges
        probs, labels = np.stack([confidence, 1 - confidence], axis=1), rng.integers(0, 2, 60)
        assert sum(b["rows"] for b in calibration_bins(labels, probs, bins)) == 60


def test_it_is_above_zero_for_the_truth_itself_which_is_why_no_verdict_rests_on_it():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, (200, 150))
    labels = (rng.random(confidence.shape) > confidence).astype(int)
    errors = [calibration_error(la, np.stack([c, 1 - c], axis=1), 15) for la, c in zip(labels, confidence, strict=True)]
    assert np.mean(errors) > 0.06


def test_a_model_that_means_what_it_says_has_a_small_calibration_error():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 50_000)
    labels = (rng.random(50_000) > confidence).astype(int)
    assert calibration_error(labels, np.stack([confidence, 1 - confidence], axis=1), 15) < 0.01
