import numpy as np
import pytest

from dermlab.scores.tiers import ABSTAIN, ANSWER, LEAST, PROMISES, TOP3, Tiers, choose_tiers, coverage_curve, right_in_tier


def confident_when_right(rows: int = 4000, classes: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from the probabilities themselves: perfectly calibrated."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, classes)) * rng.uniform(0.3, 5, size=(rows, 1))
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return (probs.cumsum(1) < rng.random((rows, 1))).sum(1), probs


def test_thresholds_keep_their_promise_where_they_were_set_and_about_elsewhere():
    labels, probs = confident_when_right()
    tiers = choose_tiers(labels, probs)
    given = tiers.of(probs)
    right = right_in_tier(labels, probs, given)
    for name in (ANSWER, TOP3):
        assert right[given == name].mean() >= PROMISES[name]
    others, theirs = confident_when_right(seed=1)
    given = tiers.of(theirs)
    right = right_in_tier(others, theirs, given)
    assert right[given == ANSWER].mean() == pytest.approx(PROMISES[ANSWER], abs=0.03)
    assert {ANSWER, TOP3, ABSTAIN} == set(given)


def test_one_lower_would_break_the_promise():
    labels, probs = confident_when_right()
    threshold = choose_tiers(labels, probs).answer
    confidence, right = probs.max(1), probs.argmax(1) == labels
    lower = np.sort(confidence[confidence < threshold])[::-1]
    assert all(right[confidence >= c].mean() < PROMISES[ANSWER] for c in lower)


def test_where_no_threshold_keeps_it_nothing_is_answered():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(10), 500)
    labels = (probs.argmax(1) + 5) % 10  # never right
    tiers = choose_tiers(labels, probs)
    assert tiers.answer is None
    few = choose_tiers(probs[: LEAST - 1].argmax(1), probs[: LEAST - 1])
    assert few == Tiers(None, None)
    assert set(Tiers(None, None).of(probs)) == {ABSTAIN}


def test_the_curve_ends_at_all_rows_with_their_accuracy():
    labels, probs = confident_when_right(500)
    curve = coverage_curve(labels, probs)
    assert curve[-1] == {"coverage": 1.0, "accuracy": pytest.approx((probs.argmax(1) == labels).mean())}
    assert curve[0]["accuracy"] > curve[-1]["accuracy"]
    assert [point["coverage"] for point in curve] == pytest.approx(np.arange(1, 21) / 20)
