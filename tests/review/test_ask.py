"""The posterior of flags and readers, and whom it asks next."""

import numpy as np
import pandas as pd
import pytest

from dermlab.data.classes import Classes
from dermlab.review import posterior as module
from dermlab.review.ask import next_to_ask
from dermlab.review.posterior import posterior

CLASSES = Classes(("acne", "eczema", "psoriasis"))
NAN = float("nan")


def test_without_an_answer_the_flags_alone_speak():
    probs = np.array([[0.7, 0.2, 0.1]])
    together, errors = posterior(np.array([[NAN, NAN]]), probs)
    assert together == pytest.approx(probs)
    assert posterior(np.zeros((1, 0)), probs)[0] == pytest.approx(probs)
    assert errors == pytest.approx([0.15, 0.15])


def test_one_answer_is_bayes_rule(monkeypatch):
    """One round from an error of 0.15: the class that is said gains 0.85 against 0.15 over the look-alikes."""
    monkeypatch.setattr(module, "ROUNDS", 1)
    together, _ = posterior(np.array([[1.0]]), np.array([[0.6, 0.3, 0.1]]))
    weight = np.array([0.6 * 0.15 / module.LOOK_ALIKES, 0.3 * 0.85, 0.1 * 0.15 / module.LOOK_ALIKES])
    assert together[0] == pytest.approx(weight / weight.sum())


def test_rates_of_error_are_found_again():
    rng = np.random.default_rng(0)
    truth = rng.integers(8, size=3000)
    rates = (0.05, 0.2, 0.4)
    wrong = (truth[:, None] + rng.integers(1, 8, (3000, 3))) % 8
    said = np.where(rng.random((3000, 3)) < rates, wrong, truth[:, None]).astype(float)
    said[rng.random(said.shape) < 0.3] = NAN
    together, errors = posterior(said, np.full((3000, 8), 1 / 8))
    assert errors == pytest.approx(rates, abs=0.03)
    assert together.sum(axis=1) == pytest.approx(np.ones(3000))
    right, asked = together.argmax(axis=1) == truth, np.isfinite(said)
    assert right[asked.all(axis=1)].mean() > 0.95 > right[asked.sum(axis=1) == 1].mean()


def flags_of(**of: tuple[str, float, str, float]) -> pd.DataFrame:
    """image -> (given, quality, suggested, its probability)."""
    rows = [(image, *values) for image, values in of.items()]
    return pd.DataFrame(rows, columns=["image_id", "given", "quality", "suggested", "suggested_prob"])


FLAGS = flags_of(
    sure=("acne", 0.9, "eczema", 0.05), doubtful=("acne", 0.5, "eczema", 0.4), worse=("acne", 0.4, "eczema", 0.5),
    read=("acne", 0.5, "eczema", 0.4), disputed=("acne", 0.5, "eczema", 0.4),
)  # fmt: skip


def asked(queue: list[str], **opinions: list[str | None]) -> list[str]:
    table = pd.DataFrame.from_dict(opinions, orient="index", columns=["Anna", "Ben"], dtype=object)
    return next_to_ask(queue, table, FLAGS, CLASSES)


def test_nobody_was_asked_and_the_queue_stays_as_it_is():
    assert asked(["worse", "sure", "doubtful"]) == ["worse", "sure", "doubtful"]
    assert asked([]) == []


def test_a_dispute_comes_before_a_first_reading_of_what_is_surer_and_what_fits_the_flags_comes_last():
    order = asked(["doubtful", "sure", "read", "disputed"], read=["acne", None], disputed=["acne", "eczema"])
    assert order == ["doubtful", "disputed", "sure", "read"]


def test_who_cannot_tell_leaves_a_photo_where_it_was():
    assert asked(["doubtful", "read", "sure"], read=["cannot tell", "drop"]) == ["doubtful", "read", "sure"]


def test_what_is_not_in_the_queue_is_not_asked():
    assert asked(["sure"], read=["acne", "acne"]) == ["sure"]
