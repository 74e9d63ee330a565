"""The headline by case, and what a second photo gains."""

import numpy as np
import pandas as pd
import pytest

from dermlab.data.classes import Classes
from dermlab.evaluate.build import evaluate, predictions_table
from dermlab.evaluate.cases import by_case, numbers
from dermlab.model.calibration import Calibration
from dermlab.scores.cases import Pooling
from dermlab.scores.tiers import Tiers

CLASSES = Classes(("eczema", "acne", "wart", "tinea"))
POOLING = Pooling("logmean", 1.0)
CHOSEN = Calibration(pooling=POOLING, case_tiers=Tiers(0.8, 0.9))
TRAIN = pd.Series(["eczema"] * 9 + ["acne"] * 5 + ["wart"] * 3 + ["tinea"] * 2 + ["other"])


def predictions(of_each: int, cases: int = 200) -> pd.DataFrame:
    """Photos that each show something of their case."""
    random = np.random.default_rng(3)
    case = np.repeat(np.arange(cases), of_each)
    labels = random.integers(5, size=cases)[case]
    logits = 1.2 * np.eye(5)[labels] + random.normal(size=(len(case), 5))
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    rows = pd.DataFrame({"image_id": [f"{i:04d}" for i in random.permutation(len(case))], "case_id": [f"c{c:03d}" for c in case]})
    rows["patient_id"], rows["diagnosis"] = [f"p{c // 2}" for c in case], np.array(CLASSES.names)[labels]
    return predictions_table(rows.assign(label=rows["diagnosis"]), probs, CLASSES)


def test_by_case_it_is_the_headline_of_the_cases_answers():
    table = predictions(3)
    found = by_case(table, TRAIN, CLASSES, POOLING, 15)
    columns = [f"prob_{name}" for name in CLASSES.names]
    product = np.log(table[columns].astype(float)).groupby(table["case_id"]).sum()
    probs = np.exp(product).div(np.exp(product).sum(axis=1), axis=0)
    labels = table.groupby("case_id")["label"].first()
    expected = evaluate(labels.reset_index(drop=True), probs.to_numpy(), TRAIN, CLASSES, 15).headline
    assert found == {f"case_{name}": pytest.approx(value, abs=2e-4) for name, value in expected.items()}
    alone = evaluate(table["label"], table[columns].to_numpy(), TRAIN, CLASSES, 15).headline
    assert found["case_top1"] > alone["top1"] + 0.1


def test_a_source_of_single_photos_says_nothing_of_cases():
    table = predictions(1)
    assert by_case(table, TRAIN, CLASSES, POOLING, 15) == {}
    assert numbers(table, CLASSES, CHOSEN, 200) == {}


def test_each_photo_more_is_counted_on_the_same_cases_with_its_interval():
    found = numbers(predictions(3), CLASSES, CHOSEN, 400)
    steps = found["photos"]
    assert (found["cases"], found["of_several_photos"], found["left_out"]) == (200, 200, 0)
    assert [step["photos"] for step in steps] == [1, 2, 3]
    assert sum(tier["rows"] for tier in found["tiers"]) == 200
    assert found["tiers"][0]["threshold"] == 0.8
    assert len({step["cases"] for step in steps}) == 1
    assert steps[0]["top1"] < steps[1]["top1"] < steps[2]["top1"]
    assert steps[2]["gain"] == pytest.approx(steps[2]["top1"] - steps[0]["top1"])
    assert steps[2]["gain_interval"][0] > 0
    for step in steps:
        assert step["interval"][0] <= step["top1"] <= step["interval"][1]


def test_a_case_of_several_labels_is_left_out_and_counted():
    table = predictions(2)
    first = table["case_id"].iloc[0]
    others = [name for name in CLASSES.targets if name not in set(table.loc[table["case_id"] == first, "label"])]
    table.loc[table.index[table["case_id"] == first][0], "label"] = others[0]
    assert numbers(table, CLASSES, CHOSEN, 200)["left_out"] == 1
    assert numbers(table, CLASSES, CHOSEN, 200)["cases"] == 199


@pytest.mark.parametrize("of_one_label", [[], ["other", "other"]])
def test_without_a_case_of_a_target_class_nothing_is_said_of_cases(of_one_label):
    table = predictions(2, cases=20).sort_values("case_id", ignore_index=True)
    table["label"] = of_one_label + ["eczema", "acne"] * ((40 - len(of_one_label)) // 2)
    assert by_case(table, TRAIN, CLASSES, POOLING, 15) == {}
    assert numbers(table, CLASSES, CHOSEN, 200) == {}


def test_too_few_cases_of_several_photos_are_drawn_no_steps():
    few = predictions(2, cases=10)
    few[["image_id", "case_id"]] = "x" + few[["image_id", "case_id"]]
    table = pd.concat([predictions(1), few])
    assert numbers(table.reset_index(drop=True), CLASSES, CHOSEN, 200)["photos"] == []
