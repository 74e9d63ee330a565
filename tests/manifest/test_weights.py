import numpy as np
import pytest

from dermlab.manifest.weights import row_weights

LABELS = np.array(["a"] * 90 + ["b"] * 10)


@pytest.mark.parametrize(
    ("rebalance", "beta", "ratio"),
    [
        ("sqrt", 0.999, 3.0),
        ("balanced", 0.999, 9.0),
        ("effective", 0.9, (1 - 0.9**90) / (1 - 0.9**10)),  # Cui et al. 2019, eq. 5
        ("effective", 1 - 1e-9, 9.0),  # beta -> 1: the inverse frequency
        ("effective", 1e-9, 1.0),  # beta -> 0: no weighting
    ],
)
def test_the_rarer_class_is_drawn_more_often_by_the_known_factor(rebalance, beta, ratio):
    weights = row_weights(LABELS, rebalance, beta)
    assert weights[-1] / weights[0] == pytest.approx(ratio, rel=1e-5)
    assert weights.mean() == pytest.approx(1)


def test_balanced_weights_give_every_class_the_same_sum():
    weights = row_weights(LABELS, "balanced", 0.999)
    assert weights[:90].sum() == pytest.approx(weights[90:].sum())
