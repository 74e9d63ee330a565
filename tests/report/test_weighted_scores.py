"""Scores under weights: the same numbers as scikit-learn, and the same as repeating the rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, top_k_accuracy_score

from dermlab.data.errors import ContractError
from dermlab.report import scores

TARGETS = ("a", "b", "c", "d", "e", "f")


def table(rng, rows=300, patients=80, skill=1.0) -> pd.DataFrame:
    labels = rng.choice([*TARGETS, "other"], rows)
    logits = rng.normal(size=(rows, 7))
    logits[np.arange(rows), [(*TARGETS, "other").index(label) for label in labels]] += skill
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    frame = pd.DataFrame({
        "image_id": [f"i{i:04d}" for i in range(rows)], "patient_id": [f"p{p}" for p in rng.integers(patients, size=rows)],
        "diagnosis": labels, "label": labels,
    })  # fmt: skip
    frame[[f"prob_{name}" for name in (*TARGETS, "other")]] = probs.astype(np.float32)
    return frame


def whole(frame: pd.DataFrame) -> scores.Tally:
    return scores.total(scores.tally_by_patient(scores.scored_rows(frame), bins=10))


def test_scores_are_those_of_scikit_learn_with_other_left_out_of_rows_and_ranking():
    frame = table(np.random.default_rng(0))
    scored = frame[frame["label"] != "other"]
    probs = scored[[f"prob_{name}" for name in TARGETS]].to_numpy()
    truth, predicted = scored["label"].to_numpy(str), np.array(TARGETS)[probs.argmax(1)]
    found = scores.headline(whole(frame), rare=[3, 5], sink=1)
    matrix = confusion_matrix(truth, predicted, labels=TARGETS)
    recall = np.diag(matrix) / matrix.sum(1)
    assert found["top1"] == pytest.approx((truth == predicted).mean())
    normalised = probs / probs.sum(1, keepdims=True)
    assert found["top3"] == pytest.approx(top_k_accuracy_score(truth, normalised, k=3, labels=list(TARGETS)))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert found["rare_recall"] == pytest.approx((recall[3] + recall[5]) / 2)
    assert found["sink_ratio"] == pytest.approx((predicted == "b").sum() / (truth == "b").sum())
    assert scores.per_class_f1(whole(frame)) == pytest.approx(f1_score(truth, predicted, average=None, labels=TARGETS))
    assert (scores.confusion(scores.scored_rows(frame), TARGETS) == matrix).all()


def test_calibration_error_in_closed_form():
    """Four images at confidence 0.8 of which two are right, and four at 0.6 of which all are: (4 * 0.3 + 4 * 0.4) / 8."""
    probs = [(0.8, 0.2, 0)] * 4 + [(0.6, 0.4, 0)] * 4
    frame = pd.DataFrame(probs, columns=["prob_a", "prob_b", "prob_other"])
    frame = frame.assign(image_id=list("12345678"), patient_id="p", diagnosis="x", label=["a", "a", "b", "b", "a", "a", "a", "a"])
    assert scores.headline(whole(frame), [1], 0)["ece"] == pytest.approx(0.35)
    rows = scores.calibration_bins(scores.scored_rows(frame), 10)
    assert [(row["count"], round(row["confidence"], 6), row["accuracy"]) for row in rows] == [(4, 0.6, 1.0), (4, 0.8, 0.5)]


def test_a_weight_is_a_patient_that_comes_so_often():
    rng = np.random.default_rng(1)
    frame = scores.scored_rows(table(rng, patients=12))
    people = sorted(frame["patient_id"].unique())
    weights = rng.integers(0, 4, len(people))
    repeated = pd.concat([frame[frame["patient_id"] == name] for name, times in zip(people, weights, strict=True) for _ in range(times)])
    weighted = scores.tally_by_patient(frame, 10).weighted(weights[None].astype(float))
    counted = scores.total(scores.tally_by_patient(repeated.reset_index(drop=True), 10))
    expected, found = scores.headline(counted, [0, 1], 2), scores.headline(weighted, [0, 1], 2)
    for name in scores.HEADLINE:
        assert found[name][0] == pytest.approx(float(expected[name]))


def test_a_class_without_rows_has_no_f1_and_is_in_no_mean():
    frame = table(np.random.default_rng(2))
    frame = frame[frame["label"] != "c"].reset_index(drop=True)
    f1 = scores.per_class_f1(whole(frame))
    assert np.isnan(f1[2])
    assert scores.headline(whole(frame), [0], 1)["macro_f1"] == pytest.approx(np.nanmean(f1))
    assert np.isnan(scores.headline(whole(frame), [2], 1)["rare_recall"])


def test_equal_probabilities_rank_in_class_order():
    frame = pd.DataFrame([(0.25, 0.25, 0.25, 0.25, 0.0)] * 4, columns=["prob_a", "prob_b", "prob_c", "prob_d", "prob_other"])
    frame = frame.assign(image_id=list("1234"), patient_id=list("1234"), diagnosis="x", label=list("abcd"))
    found = scores.headline(whole(frame), [0], 0)
    assert (found["top1"], found["top3"]) == (0.25, 0.75)


def test_intervals_leave_out_resamples_without_the_score():
    assert scores.interval(np.array([np.nan, 0.5, 0.5])) == (0.5, 0.5)
    assert scores.interval(np.array([np.nan])) is None


def test_rarest_third_breaks_ties_by_class_order():
    assert scores.rarest_third([9, 5, 5, 5, 8, 7]) == [1, 2]
    assert scores.rarest_third([3, 2]) == [1]


def test_predictions_without_target_rows_are_an_error_that_says_what_to_run():
    frame = table(np.random.default_rng(0))
    with pytest.raises(ContractError, match="no row of a target class.*dvc repro evaluate"):
        whole(frame[frame["label"] == "other"])
    with pytest.raises(ContractError, match="label 'mole' has no probability column"):
        whole(frame.assign(label="mole"))
