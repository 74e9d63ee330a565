import numpy as np

from dermlab.evaluate.doubts import doubted


def test_wrong_test_labels_are_doubted_and_right_ones_are_not():
    rng = np.random.default_rng(0)
    true = rng.choice([0, 2, 3], 600)
    given = true.copy()
    given[:20] = np.where(true[:20] == 0, 2, 0)
    probs = np.full((600, 4), 0.02) + 0.92 * np.eye(4)[true] + rng.uniform(0, 0.01, (600, 4))
    probs /= probs.sum(1, keepdims=True)
    found = doubted(given, probs)
    assert found[:20].mean() >= 0.8
    assert not found[20:].any()
    assert not doubted(np.zeros(5, dtype=int), probs[:5]).any()
