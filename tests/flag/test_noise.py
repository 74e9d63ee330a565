import numpy as np
import pytest

from dermlab.flag.noise import by_bayes, expected_shape, fit_noise


def labelled(rate: float, rows: int = 4000, pairs: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Labels of five classes of which a share `rate` is wrong, and the logarithm of the probabilities that the truth was drawn from."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(rows, 5)) * 2.5
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (probs.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    step = np.where(pairs, 1, rng.integers(1, 5, rows))
    return np.where(rng.random(rows) < rate, (truth + step) % 5, truth), np.log(probs)


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.2])
def test_where_the_model_holds_the_rate_is_found_and_the_bound_is_not_far_below(rate):
    given, clean = labelled(rate)
    noise = fit_noise(given, clean, len(given))
    assert noise.rate == pytest.approx(rate, abs=0.02)
    assert 0.3 * rate < noise.at_least < 0.5 * rate
    assert noise.sharpness == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.2])
def test_where_one_class_is_taken_for_one_other_the_rate_is_near(rate):
    """A little too high: the expectation, which knows nothing of pairs, keeps some noise elsewhere."""
    given, clean = labelled(rate, pairs=True)
    assert fit_noise(given, clean, len(given)).rate == pytest.approx(rate, rel=0.25)


def test_clean_labels_have_next_to_no_noise():
    given, clean = labelled(0.0)
    noise = fit_noise(given, clean, len(given))
    assert noise.at_least < 0.0025
    assert noise.rate < 0.02


def test_photos_that_were_labelled_together_are_less_evidence():
    given, clean = labelled(0.1)
    alone, together = (fit_noise(given, clean, cases) for cases in (len(given), len(given) // 4))
    assert alone.rate == pytest.approx(together.rate, abs=0.02)
    assert together.at_least < alone.at_least - 0.003


def test_which_class_is_taken_for_which_is_learnt():
    given, clean = labelled(0.15, pairs=True)
    off = fit_noise(given, clean, len(given)).transitions
    np.fill_diagonal(off, 0)
    assert off.argmax(axis=1).tolist() == [1, 2, 3, 4, 0]


def test_wrong_labels_are_expected_to_go_to_look_alikes_and_to_common_classes():
    labels = np.r_[np.zeros(900, int), np.ones(100, int), np.full(100, 2)]
    probs = np.where(np.eye(3)[labels] > 0, 0.8, 0.1)
    common, rare = expected_shape(labels, probs)[1, [0, 2]]
    assert common / rare == pytest.approx((900.5 / 100.5) ** 0.5, rel=0.01)
    alike = probs.copy()
    alike[labels == 1] = [0.0, 0.6, 0.4]  # the classifier takes it for 2, never for 0
    assert expected_shape(labels, alike)[1, 2] > 0.5 > expected_shape(labels, probs)[1, 2]


def test_bayes_with_known_transitions_is_closed_form():
    transitions = np.array([[0.9, 0.1], [0.4, 0.6]])
    found = by_bayes(np.array([0, 1]), np.full((2, 2), 0.5), transitions)
    np.testing.assert_allclose(found, [[0.9 / 1.3, 0.4 / 1.3], [0.1 / 0.7, 0.6 / 0.7]])


def test_many_rows_are_fitted_on_some_of_them_with_the_same_result(monkeypatch):
    given, clean = labelled(0.1)
    whole = fit_noise(given, clean, len(given))
    monkeypatch.setattr("dermlab.flag.noise.FITTED_ON", 2000)
    part = fit_noise(given, clean, len(given))
    assert part.rate == pytest.approx(whole.rate, abs=0.02)


def test_two_raters_against_one_are_between_their_labels_what_one_label_is_and_surer_of_all_others():
    transitions = np.full((4, 4), 0.02) + 0.92 * np.eye(4)
    probs = np.array([[0.1, 0.7, 0.15, 0.05]])
    alone = by_bayes(np.array([0]), probs, transitions)[0]
    of_three = by_bayes(np.array([0]), probs, transitions, np.array([[2.0, 1.0, 0, 0]]))[0]
    assert of_three[0] / of_three[1] == pytest.approx(alone[0] / alone[1])
    assert of_three[2] < alone[2] / 10
    assert by_bayes(np.array([0]), probs, transitions, np.array([[1.0, 0, 0, 0]]))[0] == pytest.approx(alone)
