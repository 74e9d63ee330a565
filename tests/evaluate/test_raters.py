"""What evaluate says of test photos whose raters disagree."""

import numpy as np
import pandas as pd
import pytest

from dermlab.data.classes import Classes
from dermlab.data.tables import PREDICTIONS, read_table, write_table
from dermlab.evaluate.build import predictions_table
from dermlab.evaluate.raters import by_raters

CLASSES = Classes(("eczema", "acne", "wart"))
TWO_OF_THREE = (("eczema", 2 / 3), ("acne", 1 / 3))
ALL_DIFFER = (("acne", 1 / 3), ("eczema", 1 / 3), ("wart", 1 / 3))


def rows(cases: int = 60) -> pd.DataFrame:
    """Cases of two photos and three raters: in every fifth one of them differs, in every tenth all do."""
    case = np.repeat(np.arange(cases), 2)
    labels = [("eczema", "acne", "wart")[of % 3] if of % 5 else "eczema" for of in case]
    several = [ALL_DIFFER if of % 10 == 0 else TWO_OF_THREE if of % 5 == 0 else None for of in case]
    labels = ["acne" if of % 10 == 0 else label for of, label in zip(case, labels, strict=True)]
    frame = pd.DataFrame({"image_id": [f"{i:04d}" for i in range(len(case))], "patient_id": [f"p{of}" for of in case]})
    said = [of or ((label, 1.0),) for of, label in zip(several, labels, strict=True)]
    names = [[name for name, share in of for _ in range(round(3 * share))] for of in said]
    raters = [tuple((str(number), name) for number, name in enumerate(of, 1)) for of in names]
    return frame.assign(case_id=frame["patient_id"], diagnosis=labels, label=labels, labels=several, votes=3.0, raters=raters)


def right(frame: pd.DataFrame) -> np.ndarray:
    probs = np.full((len(frame), 4), 0.1)
    probs[np.arange(len(frame)), CLASSES.encode(frame["label"])] = 0.7
    return probs


def test_disputed_cases_are_counted_and_each_label_counts_by_its_share(tmp_path):
    frame = rows()
    predictions = predictions_table(frame, right(frame), CLASSES)
    found = by_raters(predictions, frame, 500)
    assert (found["cases"], found["several"], found["disputed"]) == (60, 12, 6)
    assert found["top1"]["value"] == pytest.approx((48 + 6 * 2 / 3 + 6 / 3) / 60)
    assert found["top3"]["value"] == pytest.approx(1)
    low, high = found["top1"]["interval"]
    assert low < found["top1"]["value"] < high
    assert 0.6 < found["alpha"]["interval"][0] < found["alpha"]["value"] < found["alpha"]["interval"][1] < 1
    write_table(tmp_path / "predictions.parquet", predictions, PREDICTIONS)  # so that whoever compares sees the same
    assert read_table(tmp_path / "predictions.parquet", PREDICTIONS)["labels"].tolist() == frame["labels"].tolist()


def test_of_one_label_a_photo_nothing_is_said():
    frame = rows().assign(labels=None)
    assert by_raters(predictions_table(frame, right(frame), CLASSES), frame, 100) == {}
    frame = frame.drop(columns=["labels", "votes", "raters"])
    predictions = predictions_table(frame, right(frame), CLASSES)
    assert by_raters(predictions, frame, 100) == {}
    assert "labels" not in predictions


def test_a_dispute_about_any_photo_of_a_case_counts():
    frame = rows()
    second = frame["image_id"].str[-1].isin(list("13579"))
    frame.loc[second, ["labels", "raters"]] = None
    frame["labels"], frame["raters"] = frame["labels"][::-1].to_numpy(), frame["raters"][::-1].to_numpy()
    assert by_raters(predictions_table(frame, right(frame), CLASSES), frame, 100)["several"] == 12


def test_where_nobody_says_what_each_rater_gave_there_is_no_alpha():
    frame = rows().drop(columns="raters")
    assert by_raters(predictions_table(frame, right(frame), CLASSES), frame, 100)["alpha"] is None
