"""For whom the model is worse, and whose photos it refuses, on the test split."""

import numpy as np
import pandas as pd
import pytest

from dermlab.data.classes import Classes
from dermlab.evaluate.gaps import gaps_on_test, unfamiliar_by_group
from dermlab.scores.familiarity import Familiarity

CLASSES = Classes(("eczema", "acne", "wart"))


def split(gap: float = 0.25, rows: int = 1200) -> tuple[pd.DataFrame, np.ndarray]:
    """Two photos a patient; dark skin has other diagnoses, and beyond them is served worse by `gap`."""
    rng = np.random.default_rng(0)
    dark = rng.random(rows // 2) < 0.3
    labels = np.where(dark, rng.choice(4, rows // 2, p=[0.2, 0.3, 0.4, 0.1]), rng.choice(4, rows // 2, p=[0.5, 0.3, 0.1, 0.1])).repeat(2)
    right = rng.random(rows) < np.array([0.9, 0.8, 0.6, 0.7])[labels] - gap * dark.repeat(2)
    said = np.where(right, labels, (labels + 1) % 3)
    frame = pd.DataFrame({"patient_id": [f"p{i // 2}" for i in range(rows)], "label": [CLASSES.names[c] for c in labels]})
    frame["note_skin_tone"] = np.where(dark, "dark", "light").repeat(2)
    frame["q_sex"] = rng.choice(["female", "male", None], rows // 2, p=[0.5, 0.4, 0.1]).repeat(2)
    frame["q_body_parts"] = [("arm", "leg") if i % 3 else ("leg",) for i in range(rows)]
    frame["note_camera"] = "one"
    frame.loc[:7, "note_skin_tone"] = "medium"
    return frame, np.eye(4)[said] * 0.9 + 0.025


def test_a_gap_is_found_beyond_the_diagnoses_and_few_patients_have_none():
    rows, probs = split()
    found = gaps_on_test(rows, probs, CLASSES)
    by = {(group["by"], group["group"]): group for group in found["groups"]}
    assert set(by) == {("skin_tone", name) for name in ("dark", "light", "medium")} | {
        ("sex", name) for name in ("female", "male", "not answered")
    }  # a question of several answers parts nobody
    dark = by["skin_tone", "dark"]
    assert dark["gap"] == pytest.approx(0.25, abs=0.08)
    assert dark["interval"][0] > 0
    assert by["skin_tone", "light"]["gap"] < 0
    medium = by["skin_tone", "medium"]
    assert medium["patients"] <= 4
    assert medium["gap"] is None
    assert medium["interval"] is None
    assert (found["alike"], found["texts"]) == (["camera"], [])


def test_without_a_gap_none_is_told_and_without_attributes_nothing_is_said():
    rows, probs = split(0.0)
    assert all(group["interval"] is None or group["interval"][0] <= 0 for group in gaps_on_test(rows, probs, CLASSES)["groups"])
    assert gaps_on_test(rows[["patient_id", "label"]], probs, CLASSES) == {}
    nothing = rows[["patient_id", "label", "note_camera"]].assign(note_country=[f"c{i % 13}" for i in range(len(rows))], q_age=None)
    assert gaps_on_test(nothing, probs, CLASSES) == {"groups": [], "alike": ["age", "camera"], "texts": ["country"]}


def test_refused_photos_are_counted_by_group_and_few_patients_have_no_share():
    rows, _ = split()
    similarity = np.where(rows["note_skin_tone"] == "dark", 0.5, 0.9) + np.random.default_rng(1).normal(0, 0.1, len(rows))
    familiarity = Familiarity(np.ones((1, 3), np.float16), 0.6)
    found = {(group["by"], group["group"]): group for group in unfamiliar_by_group(rows, similarity, familiarity)}
    inside = (rows["note_skin_tone"] == "dark").to_numpy()
    dark = found["skin_tone", "dark"]
    assert dark["share"] == pytest.approx((similarity < 0.6)[inside].mean())
    assert dark["interval"][0] > found["skin_tone", "light"]["interval"][1]
    assert found["skin_tone", "medium"]["share"] is None
    assert unfamiliar_by_group(rows, similarity, Familiarity()) == []
