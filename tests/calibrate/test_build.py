"""All that is chosen on validation, at once."""

import numpy as np
import pytest

from dermlab.calibrate.build import calibrate, numbers
from dermlab.calibrate.params import CalibrateParams, Params
from dermlab.data.validation import Validation

CLASSES, GROUP = 3, {"first": ["a"]}
KNOBS = CalibrateParams(
    adjust="none", pool="logmean", answer=0.9, top3=0.95, coverage=0.9, sensitivity=0.95, unfamiliar=0.01,
)  # fmt: skip


@pytest.mark.parametrize("photos", [2, 400])
def test_where_every_case_is_of_several_labels_nothing_is_chosen_of_cases(photos):
    random = np.random.default_rng(0)
    labels, cases = np.arange(photos) % 2, np.arange(photos) // 2
    logits = 3 * np.eye(CLASSES)[labels] + random.normal(size=(photos, CLASSES))
    ids = np.arange(photos).astype(str)
    validation = Validation(ids, labels, logits.astype(np.float32), random.normal(size=(photos, 4)).astype(np.float16))
    prior = np.full(CLASSES, 1 / CLASSES)
    found = calibrate(validation, ids, cases.astype(str), prior, Params(seed=1, calibrate=KNOBS), ["a", "b", "other"], GROUP)
    assert (found.case_tiers, found.case_sets, found.groups[0].case_threshold) == (None, None, None)
    assert found.pooling.independence == 0
    assert "case_answer_threshold" not in numbers(found, validation, cases.astype(str))
