import numpy as np
import pytest
from calibrated import confident_when_right

from dermlab.calibrate.tiers import LEAST, choose_tiers
from dermlab.scores.tiers import ABSTAIN, ANSWER, TOP3, Tiers, right_in_tier

PROMISES = (0.9, 0.9)


def test_thresholds_keep_their_promise_where_they_were_set_and_about_elsewhere():
    labels, probs = confident_when_right()
    tiers = choose_tiers(labels, probs, *PROMISES)
    given = tiers.of(probs)
    right = right_in_tier(labels, probs, given)
    for name, promise in zip((ANSWER, TOP3), PROMISES, strict=True):
        assert right[given == name].mean() >= promise
    others, theirs = confident_when_right(seed=1)
    given = tiers.of(theirs)
    right = right_in_tier(others, theirs, given)
    assert right[given == ANSWER].mean() == pytest.approx(PROMISES[0], abs=0.03)
    assert {ANSWER, TOP3, ABSTAIN} == set(given)


def test_one_lower_would_break_the_promise():
    labels, probs = confident_when_right()
    threshold = choose_tiers(labels, probs, *PROMISES).answer
    confidence, right = probs.max(1), probs.argmax(1) == labels
    lower = np.sort(confidence[confidence < threshold])[::-1]
    assert all(right[confidence >= c].mean() < PROMISES[0] for c in lower)


def test_where_no_threshold_keeps_it_nothing_is_answered():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(10), 500)
    labels = (probs.argmax(1) + 5) % 10  # never right
    tiers = choose_tiers(labels, probs, *PROMISES)
    assert tiers.answer is None
    few = choose_tiers(probs[: LEAST - 1].argmax(1), probs[: LEAST - 1], *PROMISES)
    assert few == Tiers(None, None, *PROMISES)
    assert set(Tiers(None, None).of(probs)) == {ABSTAIN}


def test_a_lower_promise_answers_more():
    labels, probs = confident_when_right()
    strict, easy = (choose_tiers(labels, probs, promise, 0.9) for promise in (0.95, 0.7))
    assert easy.answer < strict.answer
    assert (easy.answer_promise, strict.answer_promise) == (0.7, 0.95)
