"""The point from which a photo is called of a group: it is chosen on validation, and holds there."""

import numpy as np
import pytest

from dermlab.calibrate.groups import LEAST, choose_groups, point


def test_the_point_is_the_highest_at_which_validation_keeps_the_promise():
    scores, patients = np.random.default_rng(0).random(200), np.arange(200)
    threshold = point(scores, patients, 0.95)
    assert (scores >= threshold).mean() == pytest.approx(0.95)
    assert (scores > threshold).mean() < 0.95
    assert point(np.full(200, 0.4), patients, 0.95) == 0.4


def test_too_few_patients_choose_none_however_many_photos_they_sent():
    scores = np.random.default_rng(0).random(200)
    assert point(scores, np.arange(200) % (LEAST - 1), 0.95) is None
    assert point(scores[:0], np.arange(0), 0.95) is None
    assert point(scores, np.arange(200) % LEAST, 0.95) is not None


def test_a_group_is_its_classes_together():
    rng = np.random.default_rng(1)
    labels, probs = rng.integers(0, 4, 400), rng.dirichlet(np.ones(4), 400)
    (group,) = choose_groups({"urgent": ("a", "c")}, ("a", "b", "c", "other"), labels, probs, np.arange(400), 0.9)
    own = np.isin(labels, (0, 2))
    assert group.name == "urgent"
    assert group.case_threshold is None
    assert ((probs[:, 0] + probs[:, 2])[own] >= group.threshold).mean() == pytest.approx(0.9, abs=1 / own.sum())
