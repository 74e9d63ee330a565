"""Several photos of one case: what pooling does to numbers that can be worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from dermlab.scores.cases import POOLS, Pooling, has_several, of_one_label, pooled
from dermlab.scores.predictions import case_predictions

CASES = np.array(["b", "a", "b", "c", "b"])
PROBS = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.4, 0.4, 0.2]], np.float32)


def normal(values: np.ndarray) -> np.ndarray:
    return values / values.sum()


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        (Pooling("logmean", 0.0), normal(PROBS[[0, 2, 4]].astype(float).prod(axis=0) ** (1 / 3))),
        (Pooling("logmean", 1.0), normal(PROBS[[0, 2, 4]].astype(float).prod(axis=0))),
        (Pooling("logmean", 0.5), normal(PROBS[[0, 2, 4]].astype(float).prod(axis=0) ** (3**0.5 / 3))),
        (Pooling("mean"), PROBS[[0, 2, 4]].mean(axis=0)),
        (Pooling("max"), normal(PROBS[[0, 2, 4]].max(axis=0))),
    ],
)
def test_a_case_of_three_photos_is_what_its_formula_says(pooling, expected):
    together, first = pooled(PROBS, CASES, pooling)
    assert first.tolist() == [1, 0, 3]  # of a, b, c
    np.testing.assert_allclose(together[1], expected, rtol=1e-6)
    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("how", POOLS)
def test_without_rows_there_are_no_cases(how):
    together, first = pooled(PROBS[:0], CASES[:0], Pooling(how))
    assert together.shape == (0, 3)
    assert together.dtype == PROBS.dtype
    assert first.shape == (0,)


@pytest.mark.parametrize("how", POOLS)
def test_a_case_of_one_photo_has_exactly_its_answer_and_copies_say_what_one_says(how):
    together, first = pooled(PROBS, CASES, Pooling(how, 0.7))
    assert np.array_equal(together[[0, 2]], PROBS[first[[0, 2]]])
    copies = np.repeat(PROBS[:1], 4, axis=0)
    np.testing.assert_allclose(pooled(copies, np.repeat("x", 4), Pooling(how, 0.0))[0][0], PROBS[0], rtol=1e-6)


def test_a_photo_that_rules_out_a_class_does_not_divide_by_nothing():
    probs = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    assert np.isfinite(pooled(probs, np.array(["x", "x"]), Pooling())[0]).all()


def test_the_order_of_the_rows_does_not_matter():
    order = [3, 4, 0, 2, 1]
    np.testing.assert_array_equal(pooled(PROBS, CASES, Pooling())[0], pooled(PROBS[order], CASES[order], Pooling())[0])


def test_which_cases_have_one_label():
    assert of_one_label(np.array([2, 0, 2, 1, 2]), CASES).all()
    assert of_one_label(np.array(["x", "y", "x", "z", "w"]), CASES).tolist() == [False, True, False, True, False]
    assert has_several(CASES)
    assert not has_several(CASES[[1, 2, 3]])


def test_a_table_by_case_has_a_row_a_case_and_leaves_out_those_of_several_labels():
    table = pd.DataFrame({"image_id": list("54321"), "patient_id": "p", "case_id": CASES, "diagnosis": "d", "label": list("xyxzx")})
    table[["prob_x", "prob_y", "prob_other"]] = PROBS
    found = case_predictions(table, Pooling("mean"))
    assert found[["image_id", "case_id", "label"]].to_numpy().tolist() == [["2", "c", "z"], ["4", "a", "y"], ["5", "b", "x"]]
    assert found.loc[2, "prob_x"] == pytest.approx(0.5)
    table.loc[4, "label"] = "y"
    assert case_predictions(table, Pooling()).case_id.tolist() == ["c", "a"]
