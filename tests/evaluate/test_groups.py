"""Groups of classes on the test split, by photo and by case."""

import numpy as np
import pandas as pd
import pytest

from dermlab.evaluate.groups import groups_on_test
from dermlab.scores.cases import Pooling
from dermlab.scores.groups import Group

NAMES = ("nevus", "melanoma", "wart", "other")
GROUP = Group("malignant", ("melanoma",), 0.95, 0.3, 0.35)


def predictions(rows: int = 900, photos: int = 3, skill: float = 1.5) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    case = np.arange(rows) // photos
    labels = rng.choice(4, case.max() + 1, p=[0.5, 0.2, 0.2, 0.1])[case]
    logits = rng.normal(size=(rows, 4))
    logits[np.arange(rows), labels] += skill
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    names = [NAMES[c] for c in labels]
    frame = pd.DataFrame(
        {"image_id": [f"{i:04d}" for i in range(rows)], "patient_id": [f"p{c}" for c in case], "case_id": case.astype(str)}
    )
    frame = frame.assign(diagnosis=names, label=names)
    frame[[f"prob_{name}" for name in NAMES]] = probs.astype(np.float32)
    return frame


def test_a_group_is_scored_by_photo_and_by_case_with_intervals():
    table = predictions()
    found = groups_on_test(table, [GROUP], Pooling())
    (photo,), (case,) = found["photo"], found["case"]
    targets = table[table["label"] != "other"]
    own = (targets["label"] == "melanoma").to_numpy()
    called = (targets["prob_melanoma"].astype(float) >= 0.3).to_numpy()
    assert (photo["rows"], photo["others"]) == (own.sum(), (~own).sum())
    assert photo["patients"] == targets.loc[own, "patient_id"].nunique()
    assert photo["sensitivity"] == pytest.approx(called[own].mean())
    assert photo["specificity"] == pytest.approx((~called[~own]).mean())
    assert photo["missed"] == (own & ~called).sum()
    assert case["threshold"] == 0.35
    assert case["rows"] == photo["rows"] / 3
    assert case["auroc"] > photo["auroc"]
    for row in (photo, case):
        for name in ("sensitivity", "specificity", "auroc"):
            low, high = row[f"{name}_interval"]
            assert low < row[name] < high
            assert high - low < 0.2
    assert "case" not in groups_on_test(predictions(photos=1), [GROUP], Pooling())


def test_without_a_case_of_one_label_nothing_is_said_by_case():
    table = predictions(photos=2)
    table["label"] = np.where(np.arange(len(table)) % 2, "nevus", "melanoma")
    found = groups_on_test(table, [GROUP], Pooling())
    assert list(found) == ["photo"]


def test_what_cannot_be_known_is_left_out_and_nothing_is_said_without_groups():
    table = predictions()
    assert groups_on_test(table, [], Pooling()) == {}
    (unset,) = groups_on_test(table, [Group("malignant", ("melanoma",), 0.95)], Pooling())["photo"]
    assert "sensitivity" not in unset
    assert unset["threshold"] is None
    assert 0.5 < unset["auroc"] < 1
    without = table[table["label"] != "melanoma"]
    (absent,) = groups_on_test(without, [GROUP], Pooling())["photo"]
    assert absent["rows"] == absent["patients"] == 0
    assert not {"auroc", "sensitivity", "curve"} & set(absent)
    few = pd.concat([table[table["label"] == "melanoma"].head(9), without])
    (narrow,) = groups_on_test(few, [GROUP], Pooling())["photo"]
    assert narrow["patients"] == 3
    assert narrow["sensitivity_interval"] is None
    assert narrow["auroc_interval"] is None
    assert "curve" not in narrow
