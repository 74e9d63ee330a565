"""Prediction sets on the test split, by class and by group of patients."""

import numpy as np
import pandas as pd
import pytest

from dermlab.data.classes import Classes
from dermlab.evaluate.sets import sets_on_test
from dermlab.scores.sets import Sets

CLASSES = Classes(("eczema", "acne", "wart"))
SETS = Sets(0.9, (0.5, 0.6, 0.7, 0.5), ("own", "own", "shared", "own"))
TRAIN = pd.Series(["eczema"] * 50 + ["acne"] * 20 + ["wart"] * 5 + ["other"] * 9)


def split(rows: int = 600) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.choice(4, rows, p=[0.5, 0.25, 0.15, 0.1])
    logits = rng.normal(size=(rows, 4))
    logits[np.arange(rows), labels] += 1.5
    frame = pd.DataFrame({"patient_id": [f"p{i // 2}" for i in range(rows)], "label": [CLASSES.names[c] for c in labels]})
    frame["q_sex"] = rng.choice(["female", "male"], rows // 2).repeat(2)
    frame.loc[:7, "q_sex"] = "diverse"
    return frame, np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_coverage_and_size_are_those_of_the_rows_of_each_group():
    rows, probs = split()
    found = sets_on_test(rows, probs, SETS, TRAIN, CLASSES)
    inside = SETS.of(probs)
    held = inside[np.arange(len(rows)), CLASSES.encode(rows["label"])]
    assert found["promised"] == 0.9
    assert found["own_thresholds"] == 3
    assert found["all"]["coverage"] == pytest.approx(held.mean())
    assert found["all"]["size"] == pytest.approx(inside.sum(1).mean())
    low, high = found["all"]["interval"]
    assert low < held.mean() < high
    by = {row["group"]: row for row in found["classes"]}
    assert list(by) == ["commonest third", "middle third", "rarest third", "other"]
    for group, name in (("commonest third", "eczema"), ("middle third", "acne"), ("rarest third", "wart"), ("other", "other")):
        mask = (rows["label"] == name).to_numpy()
        assert by[group]["rows"] == mask.sum()
        assert by[group]["coverage"] == pytest.approx(held[mask].mean())
    sex = {row["group"]: row for row in found["groups"]}
    assert sex["female"]["coverage"] == pytest.approx(held[(rows["q_sex"] == "female").to_numpy()].mean())
    assert sex["diverse"]["patients"] == 4
    assert sex["diverse"]["interval"] is None


def test_without_thresholds_nothing_is_said():
    rows, probs = split(20)
    assert sets_on_test(rows, probs, None, TRAIN, CLASSES) == {}
