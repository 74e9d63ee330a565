"""How far photos of a case are evidence of their own: found again where it was planted."""

from typing import get_args

import numpy as np
import pytest

from dermlab.calibrate.cases import fit_independence
from dermlab.calibrate.params import CalibrateParams
from dermlab.scores.cases import POOLS

CLASSES = 5


def photos(copies: bool, cases: int = 400, of_each: int = 3, seed: int = 0):
    """Calibrated photos, each drawn given the case's class: probabilities are the posterior of what one photo shows. `copies`: of one."""
    random = np.random.default_rng(seed)
    labels = random.integers(CLASSES, size=cases)
    shown = np.eye(CLASSES)[labels][:, None] + random.normal(size=(cases, 1 if copies else of_each, CLASSES))
    shown = np.broadcast_to(shown, (cases, of_each, CLASSES)).reshape(-1, CLASSES)
    probs = np.exp(shown)
    return np.repeat(labels, of_each), probs / probs.sum(1, keepdims=True), np.repeat(np.arange(cases).astype(str), of_each)


def test_photos_that_each_show_something_count_each_and_copies_count_once():
    assert fit_independence(*photos(copies=False)) > 0.9
    assert fit_independence(*photos(copies=True)) < 0.1


def test_without_a_case_of_several_photos_or_with_few_none_is_shown():
    labels, probs, cases = photos(copies=False)
    assert fit_independence(labels[::3], probs[::3], cases[::3]) == 0.0
    few = slice(0, 6)
    assert fit_independence(labels[few], probs[few], cases[few]) < 0.6


def test_cases_whose_photos_bear_several_labels_say_nothing():
    labels, probs, cases = photos(copies=False)
    mixed = labels.copy()
    mixed[1::3] = (mixed[1::3] + 1) % CLASSES
    assert fit_independence(mixed, probs, cases) == 0.0


def test_the_knob_names_every_way_to_pool():
    assert get_args(CalibrateParams.model_fields["pool"].annotation) == POOLS


@pytest.mark.parametrize("seed", range(3))
def test_it_is_a_share(seed):
    assert 0 <= fit_independence(*photos(copies=False, cases=40, of_each=2, seed=seed)) <= 1
