import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from dermlab.data.errors import ContractError
from dermlab.flag import probabilities
from dermlab.flag.folds import patient_folds
from dermlab.flag.probabilities import in_sample, out_of_fold


def task(rows: int = 1500, width: int = 60, classes: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scale, shift = rng.lognormal(size=width), rng.normal(size=width) * 10  # unlike scales: standardisation matters
    labels = rng.choice(classes, rows, p=(share := 0.7 ** np.arange(classes)) / share.sum())
    features = rng.normal(size=(classes, width))[labels] * 0.4 + rng.normal(size=(rows, width))
    return (features * scale + shift).astype(np.float32), labels, rng.integers(0, rows // 2, rows).astype(str)


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


def test_bfloat16_changes_the_held_out_log_loss_by_less_than_one_in_a_hundred(monkeypatch):
    features, labels, patients = task(1500)
    folds = patient_folds(labels, patients, int(labels.max()) + 1, 4, seed=17)
    exact = out_of_fold(features, labels, folds, 8, 10.0)
    monkeypatch.setattr(probabilities, "BFLOAT16_FROM", 0)
    monkeypatch.setattr(probabilities, "multiplies_bfloat16", lambda: True)
    fast = out_of_fold(features, labels, folds, 8, 10.0)
    assert 0 < np.abs(fast - exact).max() < 0.05
    losses = [log_loss(labels, probs / probs.sum(1, keepdims=True)) for probs in (fast, exact)]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


def test_a_held_out_row_does_not_influence_its_own_prediction():
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


def test_in_sample_probabilities_are_surer_of_the_given_label_than_held_out_ones():
    features, labels, patients = task(600)
    folds = patient_folds(labels, patients, int(labels.max()) + 1, 5, seed=17)
    every = np.arange(len(labels))
    held_out, seen = out_of_fold(features, labels, folds, 8, 1.0), in_sample(features, labels, 8, 1.0)
    assert seen[every, labels].mean() > held_out[every, labels].mean() + 0.05


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


def test_a_row_without_a_held_out_prediction_is_an_error():
    features, labels, _ = task(100)
    folds = np.where(np.arange(100) < 50, 0.0, 1.0)
    folds[3] = np.nan  # equal to no fold
    with pytest.raises(ContractError, match="1 training rows have not exactly one held-out prediction"):
        out_of_fold(features, labels, folds, 8, 10.0)
