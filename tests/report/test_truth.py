"""Flags against what a source knows to be true, on tables small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from dermlab.report.training_rows import training_counts
from dermlab.report.truth import score_flags


def rows(*kinds_and_flags) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Flags, truth and manifest of rows `(kind, flagged, quality, trained)`; a mislabeled row is truly `acne`."""
    ids = [f"i{i}" for i in range(len(kinds_and_flags))]
    kinds, flagged, quality, trained = zip(*kinds_and_flags, strict=True)
    flags = pd.DataFrame({
        "image_id": ids, "given": "eczema", "suggested": "acne", "quality": quality, "label_issue": flagged,
        "duplicate_of": pd.Series([None] * len(ids), dtype=object), "outlier_score": 0.5, "leak": False,
        "protected": [i >= 3 for i in range(len(ids))],
        "not_skin_score": [0.9 if kind in ("document", "no_skin") else 0.1 for kind in kinds],
    })  # fmt: skip
    truth = pd.DataFrame({"image_id": ids, "kind": kinds, "duplicate_of": pd.Series([None] * len(ids), dtype=object)})
    truth["true_label"] = np.where(truth["kind"] == "mislabeled", "acne", "eczema")
    used = [image for image, use in zip(ids, trained, strict=True) if use]
    manifest = pd.DataFrame({"image_id": used, "label": "eczema", "split": "train", "weight": 1.0, "origin": "kept"})
    return flags, truth, manifest.assign(labels=None)


def test_flags_against_the_truth_in_closed_form():
    flags, truth, manifest = rows(
        ("mislabeled", True, 0.1, False), ("mislabeled", True, 0.2, True), ("mislabeled", False, 0.4, True),
        ("hard", True, 0.3, False), ("hard", False, 0.5, True), ("document", True, 0.35, False), ("no_skin", False, 0.8, True),
        ("clean", False, 0.9, True), ("clean", False, 0.95, True),
    )  # fmt: skip
    found = score_flags(flags, truth, manifest)
    errors = found["label_errors"]
    assert errors["precision"] == 2 / 4
    assert errors["recall"] == pytest.approx(2 / 3)
    assert errors["average_precision"] == pytest.approx((1 / 1 + 2 / 2 + 3 / 5) / 3)
    assert errors["precision_with_garbage"] == 3 / 4
    assert errors["suggestion_right"] == 1.0
    assert errors["right_flagged"] == 1 / 4
    assert found["calibration_error"] == pytest.approx((0.1 + 0.2 + 0.4 + 0.7 + 0.5 + 0.1 + 0.05) / 7)
    assert (found["rare"]["rows"], found["rare"]["right_flagged"]) == (0, 1 / 4)
    assert found["hard_but_right"] == {"rows": 2, "flagged": 0.5}
    assert found["garbage"]["flagged"] == 0.5
    assert found["garbage"]["not_skin_average_precision"] == 1.0
    kinds = {row["kind"]: (row["rows"], row["flagged"], row["left_out"]) for row in found["kinds"]}
    assert kinds == {"clean": (2, 0, 0), "hard": (2, 1, 1), "mislabeled": (3, 2, 1), "document": (1, 1, 1), "no_skin": (1, 0, 0)}


def test_a_copy_with_another_label_is_a_wrong_label_and_garbage_is_none():
    flags, truth, manifest = rows(("duplicate", True, 0.1, True), ("document", True, 0.2, True), ("clean", False, 0.9, True))
    truth["true_label"] = ["acne", "acne", "eczema"]
    errors = score_flags(flags, truth, manifest)["label_errors"]
    assert (errors["rows"], errors["precision"], errors["recall"], errors["precision_with_garbage"]) == (1, 0.5, 1.0, 1.0)


def test_a_row_held_out_of_training_to_be_predicted_is_neither_dropped_nor_left_out():
    flags, truth, manifest = rows(*[("clean", False, 0.9, True)] * 3, ("clean", True, 0.1, False))
    manifest.loc[0, "split"] = "held_out"
    assert score_flags(flags, truth, manifest)["kinds"] == [{"kind": "clean", "rows": 4, "flagged": 1, "left_out": 1}]
    catalog = pd.DataFrame({"image_id": flags["image_id"], "label": "eczema", "split": "train"})
    counts = training_counts(catalog, flags, manifest, ("eczema",), {"dropped_per_class": {"eczema": 1}})["eczema"]
    assert (counts.before, counts.after, counts.dropped, counts.dropped_by_review) == (4, 2, 1, 0)


def test_a_repeated_photo_is_found_if_either_of_the_two_says_so():
    flags, truth, manifest = rows(*[("clean", False, 0.9, True)] * 3, ("duplicate", False, 0.9, True), ("duplicate", False, 0.9, True))
    truth.loc[3, "duplicate_of"], truth.loc[4, "duplicate_of"] = "i0", "i1"
    flags.loc[0, "duplicate_of"], flags.loc[2, "duplicate_of"] = "i3", "i1"  # the first is right, the second is not
    assert score_flags(flags, truth, manifest)["duplicates"] == {"pairs": 2, "recall": 0.5, "precision": 0.5}
