import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from dermlab.data.folds import patient_folds
from dermlab.flag.probabilities import OutOfFold, believed, in_sample, one_hot, out_of_fold_probabilities, power_normalised
from dermlab.model import logistic
from dermlab.model.logistic import PENALTIES


def task(rows: int = 1500, width: int = 60, classes: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scale, shift = rng.lognormal(size=width), rng.normal(size=width) * 10  # unlike scales: standardisation matters
    labels = rng.choice(classes, rows, p=(share := 0.7 ** np.arange(classes)) / share.sum())
    features = rng.normal(size=(classes, width))[labels] * 0.4 + rng.normal(size=(rows, width))
    return (features * scale + shift).astype(np.float32), labels, rng.integers(0, rows // 2, rows).astype(str)


def out_of_fold(features, labels, folds, classes, l2):
    return OutOfFold(features, folds).predict(one_hot(labels, classes), l2)


@pytest.mark.parametrize("l2", [1.0, 30.0])
def test_out_of_fold_log_loss_equals_scikit_learns_at_c_one_over_l2(l2):
    features, labels, patients = task(900)
    folds = patient_folds(labels, patients, int(labels.max()) + 1, 4, seed=17)
    expected = np.zeros((len(labels), 8))
    for fold in range(4):
        train = folds != fold
        scaler = StandardScaler().fit(features[train])
        peer = LogisticRegression(C=1 / l2, max_iter=2000, tol=1e-6).fit(scaler.transform(features[train]), labels[train])
        expected[~train] = peer.predict_proba(scaler.transform(features[~train]))
    ours = out_of_fold(features, labels, folds, 8, l2)
    loss, peers = (log_loss(labels, p / p.sum(axis=1, keepdims=True, dtype=np.float64)) for p in (ours, expected))
    assert loss == pytest.approx(peers, rel=0.01)
    assert np.abs(ours - expected).max() < 0.01
    np.testing.assert_allclose(ours.sum(axis=1), 1, atol=1e-5)


def test_bfloat16_changes_the_out_of_fold_log_loss_by_less_than_one_in_a_hundred(monkeypatch):
    features, labels, patients = task(1500)
    folds = patient_folds(labels, patients, int(labels.max()) + 1, 4, seed=17)
    exact = out_of_fold(features, labels, folds, 8, 10.0)
    monkeypatch.setattr(logistic, "BFLOAT16_FROM", 0)
    monkeypatch.setattr(logistic, "multiplies_bfloat16", lambda: True)
    fast = out_of_fold(features, labels, folds, 8, 10.0)
    assert 0 < np.abs(fast - exact).max() < 0.05
    losses = [log_loss(labels, probs / probs.sum(1, keepdims=True)) for probs in (fast, exact)]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


def test_an_out_of_fold_row_does_not_influence_its_own_prediction():
    features, labels, patients = task(600)
    folds = patient_folds(labels, patients, int(labels.max()) + 1, 3, seed=17)
    before = out_of_fold(features, labels, folds, 8, 10.0)
    held = folds == 1
    changed = features.copy()
    changed[np.flatnonzero(held)[1:]] *= 3
    relabeled = labels.copy()
    relabeled[held] = 0
    row = np.flatnonzero(held)[0]
    np.testing.assert_allclose(out_of_fold(changed, relabeled, folds, 8, 10.0)[row], before[row], atol=1e-6)


def test_in_sample_probabilities_are_surer_of_the_given_label_than_out_of_fold_ones():
    features, labels, patients = task(600)
    folds = patient_folds(labels, patients, int(labels.max()) + 1, 5, seed=17)
    every = np.arange(len(labels))
    unseen, seen = out_of_fold(features, labels, folds, 8, 1.0), in_sample(features, labels, patients, 8, 1.0, 5, 17).of_labels[0]
    assert seen[every, labels].mean() > unseen[every, labels].mean() + 0.05


def test_a_class_absent_from_the_other_folds_has_probability_zero_and_still_a_prediction():
    features, labels, patients = task(600)
    features, labels = np.concatenate([features, features[:3]]), np.concatenate([labels, [8, 8, 8]])
    folds = patient_folds(labels, np.concatenate([patients, ["9999"] * 3]), int(labels.max()) + 1, 5, seed=17)
    probs = out_of_fold(features, labels, folds, 10, 10.0)
    assert probs.shape == (603, 10)
    assert (probs[-3:, 8] == 0).all()
    assert (probs[:, 9] == 0).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-5)


def test_a_feature_that_never_varies_changes_nothing():
    features, labels, patients = task(400)
    folds = patient_folds(labels, patients, int(labels.max()) + 1, 3, seed=17)
    constant = np.concatenate([features, np.full((400, 1), 7, np.float32)], axis=1)
    before = out_of_fold(features, labels, folds, 8, 10.0)
    np.testing.assert_allclose(out_of_fold(constant, labels, folds, 8, 10.0), before, atol=1e-3)


def test_fitting_to_shares_is_fitting_to_rows_in_those_shares():
    """A row that is half of one class and half of another, against scikit-learn with both halves as weighted rows."""
    features, labels, patients = task(600)
    folds = patient_folds(labels, patients, int(labels.max()) + 1, 3, seed=17)
    shares = 0.7 * one_hot(labels, 8) + 0.3 * one_hot((labels + 1) % 8, 8)
    ours = OutOfFold(features, folds).predict(shares, 10.0)
    held = folds == 0
    scaler = StandardScaler().fit(features[~held])
    twice = np.tile(scaler.transform(features[~held]), (2, 1))
    both, weights = np.r_[labels[~held], (labels[~held] + 1) % 8], np.repeat([0.7, 0.3], (~held).sum())
    peer = LogisticRegression(C=1 / 10.0, max_iter=2000, tol=1e-6).fit(twice, both, sample_weight=weights)
    assert np.abs(ours[held] - peer.predict_proba(scaler.transform(features[held]))).max() < 0.01


def test_a_second_fit_that_starts_from_the_first_ends_where_one_from_nothing_does():
    features, labels, patients = task(600)
    folds = patient_folds(labels, patients, int(labels.max()) + 1, 3, seed=17)
    again = OutOfFold(features, folds)
    shares = believed(labels, again.predict(one_hot(labels, 8), 100.0))
    np.testing.assert_allclose(again.predict(shares, 30.0), OutOfFold(features, folds).predict(shares, 30.0), atol=2e-3)


def test_the_penalty_of_the_least_out_of_fold_log_loss_is_chosen():
    features, labels, patients = task(900)
    rng = np.random.default_rng(1)
    labels = np.where(rng.random(900) < 0.3, rng.integers(0, 8, 900), labels)
    folds = patient_folds(labels, patients, 8, 4, seed=17)
    losses = [-np.log(out_of_fold(features, labels, folds, 8, l2)[np.arange(900), labels]).mean() for l2 in PENALTIES]
    assert 0 < np.argmin(losses) < len(PENALTIES) - 1
    assert OutOfFold(features, folds).best_penalty(one_hot(labels, 8)) == PENALTIES[int(np.argmin(losses))]


def test_the_end_of_the_penalties_can_be_the_best():
    rng = np.random.default_rng(0)
    nothing, labels = rng.normal(size=(300, 5)).astype(np.float32), rng.integers(0, 3, 300)
    folds = patient_folds(labels, np.arange(300).astype(str), 3, 4, seed=17)
    assert OutOfFold(nothing, folds).best_penalty(one_hot(labels, 3)) >= PENALTIES[-2]


def test_the_second_look_believes_sure_labels_and_doubts_contradicted_ones():
    probs = np.array([[0.98, 0.01, 0.01], [0.05, 0.94, 0.01]], dtype=np.float32)
    found = believed(np.array([0, 0]), probs)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert found[0, 0] > 0.998
    assert found[1, 1] == pytest.approx(0.94 * 0.05 / (0.05 * 0.9 + 0.94 * 0.05 + 0.01 * 0.05), abs=1e-4)
    features, labels, patients = task(600)
    looks = out_of_fold_probabilities(features, labels, patients, 8, 10.0, 3, 2, 17)
    assert looks.of_labels.shape == looks.refitted.shape == (2, 600, 8)
    assert np.abs(looks.of_labels - looks.refitted).max() > 0.01
    plain = out_of_fold_probabilities(features, labels, patients, 8, 10.0, 3, 2, 17, refit=False)
    np.testing.assert_allclose(plain.refitted, looks.of_labels, atol=1e-6)


def test_power_normalisation_keeps_signs_and_forgets_scale():
    features = np.array([[4.0, -9.0, 0.0], [0.0, 0.0, 0.0]], dtype=np.float16)
    normal = power_normalised(features)
    np.testing.assert_allclose(normal[0], np.array([2, -3, 0]) * (3 / 13) ** 0.5, rtol=1e-3)
    assert (normal[1] == 0).all()
    np.testing.assert_allclose(power_normalised(features * 16), normal, rtol=1e-3)
