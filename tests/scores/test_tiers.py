import numpy as np
import pytest
from calibrated import confident_when_right

from dermlab.scores.tiers import coverage_curve


def test_the_curve_ends_at_all_rows_with_their_accuracy():
    labels, probs = confident_when_right(500)
    curve = coverage_curve(labels, probs)
    assert curve[-1] == {"coverage": 1.0, "accuracy": pytest.approx((probs.argmax(1) == labels).mean())}
    assert curve[0]["accuracy"] > curve[-1]["accuracy"]
    assert [point["coverage"] for point in curve] == pytest.approx(np.arange(1, 21) / 20)
