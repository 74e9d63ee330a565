"""Scores by groups of patients, against scikit-learn on the rows of each group."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, top_k_accuracy_score

from dermlab.data.classes import Classes
from dermlab.evaluate.subgroups import subgroups
from dermlab.scores.attributes import NOT_ANSWERED, attributes

CLASSES = Classes(("acne", "eczema", "psoriasis", "tinea", "wart"))


@pytest.fixture
def rows() -> pd.DataFrame:
    random, n = np.random.default_rng(5), 600
    frame = pd.DataFrame({"image_id": [f"{i:04d}" for i in range(n)], "patient_id": [f"p{i // 2}" for i in range(n)]})
    frame["label"] = random.choice([*CLASSES.targets, "other"], n)
    frame["q_sex"] = random.choice(["female", "male", None], n, p=[0.5, 0.4, 0.1])
    frame["q_age"] = np.where(random.random(n) < 0.2, np.nan, random.integers(1, 90, n))
    frame["q_body_parts"] = [("arm", "leg") if r < 0.3 else ("leg",) if r < 0.6 else None for r in random.random(n)]
    frame["note_skin_tone"] = [str(k) for k in random.integers(1, 11, n)]
    frame["note_weights"] = [f"text {i}" for i in range(n)]
    frame["note_same"] = "histo"
    frame.loc[:5, "q_sex"] = "diverse"
    return frame


@pytest.fixture
def probs(rows) -> np.ndarray:
    random = np.random.default_rng(6)
    logits = random.normal(0, 1.2, (len(rows), 6))
    logits[np.arange(len(rows)), CLASSES.encode(rows["label"], "label")] += 2
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_each_group_scores_as_its_rows_alone_do(rows, probs):
    found = {(group["by"], group["group"]): group for group in subgroups(rows, probs, CLASSES, 2000)}
    kept = (rows["label"] != "other").to_numpy()
    labels, targets = CLASSES.encode(rows["label"], "label"), probs[:, :5]
    masks = {
        ("sex", "female"): rows["q_sex"] == "female",
        ("sex", NOT_ANSWERED): rows["q_sex"].isna(),
        ("body_parts", "arm"): rows["q_body_parts"].map(lambda parts: bool(parts) and "arm" in parts),
        ("body_parts", "leg"): rows["q_body_parts"].notna(),
        ("skin_tone", "10"): rows["note_skin_tone"] == "10",
    }
    for key, mask in masks.items():
        mine = mask.to_numpy(bool) & kept
        group = found[key]
        assert group["images"] == mine.sum()
        assert group["patients"] == rows.loc[mine, "patient_id"].nunique()
        assert group["top1"] == pytest.approx(accuracy_score(labels[mine], targets[mine].argmax(1)))
        assert group["top3"] == pytest.approx(top_k_accuracy_score(labels[mine], targets[mine], k=3, labels=range(5)))
        low, high = group["interval"]
        assert low < group["top1"] < high
        error = np.sqrt(group["top1"] * (1 - group["top1"]) / group["images"])
        assert high - low == pytest.approx(2 * 1.96 * error, rel=0.25)


def test_numbers_are_cut_into_thirds_and_tones_stand_in_their_order(rows, probs):
    found = subgroups(rows, probs, CLASSES, 2000)
    ages = [group for group in found if group["by"] == "age" and group["group"] != NOT_ANSWERED]
    assert len(ages) == 3
    assert ages[0]["group"].startswith("up to")
    assert max(group["images"] for group in ages) < 1.2 * min(group["images"] for group in ages)
    assert sum(group["images"] for group in found if group["by"] == "age") == (rows["label"] != "other").sum()
    assert [group["group"] for group in found if group["by"] == "skin_tone"] == [str(k) for k in range(1, 11)]


def test_texts_and_what_all_share_make_no_groups_and_a_few_patients_no_interval(rows, probs):
    found = subgroups(rows, probs, CLASSES, 2000)
    assert {group["by"] for group in found} == {"sex", "age", "body_parts", "skin_tone"}
    (diverse,) = [group for group in found if group["group"] == "diverse"]
    assert diverse["patients"] <= 3
    assert diverse["interval"] is None


def test_without_answers_or_notes_there_are_none(rows, probs):
    assert subgroups(rows[["image_id", "patient_id", "label"]], probs, CLASSES, 2000) == []


def test_what_is_asked_and_noted_is_two_attributes_and_a_written_no_answer_is_none(rows):
    rows["note_sex"], rows["q_site"] = rows["q_sex"].fillna("not noted"), rows["q_sex"].where(rows["q_sex"] != "male", NOT_ANSWERED)
    members = attributes(rows)
    assert {name for name, _ in members} >= {"sex", "sex (noted)"}
    np.testing.assert_array_equal(members["sex", "female"], members["sex (noted)", "female"])
    np.testing.assert_array_equal(members["sex", NOT_ANSWERED], members["sex (noted)", "not noted"])
    np.testing.assert_array_equal(members["site", NOT_ANSWERED], rows["q_sex"].isna() | (rows["q_sex"] == "male"))
