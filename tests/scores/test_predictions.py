"""What the scores read out of the predictions table."""

import numpy as np
import pandas as pd
import pytest

from dermlab.run.errors import ContractError
from dermlab.scores.predictions import labels_and_probs, scored_rows, tally_by_patient, target_names


def table(labels: list[str], patients: list[str]) -> pd.DataFrame:
    """Each row a model's that gives its label 0.6, the other target 0.2 and `other` 0.2, of `eczema` and `acne`."""
    frame = pd.DataFrame({"image_id": [f"i{9 - i}" for i in range(len(labels))], "patient_id": patients, "diagnosis": labels})
    frame = frame.assign(label=labels)
    for name in ("eczema", "acne", "other"):
        frame[f"prob_{name}"] = np.where(frame["label"] == name, 0.6, 0.2).astype(np.float32)
    return frame


def test_rows_of_other_are_left_out_and_other_is_left_out_of_the_ranking():
    scored = scored_rows(table(["acne", "other", "eczema"], ["p", "p", "q"]))
    assert target_names(scored) == ("eczema", "acne")
    assert scored["image_id"].tolist() == ["i7", "i9"]
    labels, probs = labels_and_probs(scored)
    assert labels.tolist() == [0, 1]
    np.testing.assert_allclose(probs, [[0.75, 0.25], [0.25, 0.75]])


def test_a_tally_has_a_row_a_patient_in_their_order():
    counts = tally_by_patient(scored_rows(table(["acne", "eczema", "eczema"], ["q", "p", "q"])))
    assert counts.true.tolist() == [[1, 0], [1, 1]]
    assert counts.rows.tolist() == [1, 2]


def test_predictions_without_target_rows_are_an_error_that_says_what_to_run():
    with pytest.raises(ContractError, match="no row of a target class.*dvc repro evaluate"):
        tally_by_patient(scored_rows(table(["other"], ["p"])))
    with pytest.raises(ContractError, match="label 'mole' has no probability column"):
        tally_by_patient(scored_rows(table(["mole"], ["p"])))


@pytest.mark.parametrize("wrong", [float("nan"), -1.0])
def test_what_is_no_probability_is_refused(wrong):
    frame = pd.DataFrame({"image_id": ["a", "b"], "patient_id": ["p", "q"], "label": ["x", "y"], "prob_x": [0.5, wrong], "prob_y": 0.5})
    with pytest.raises(ContractError, match="1 of 2 rows of the predictions hold no probabilities, first that of image b"):
        labels_and_probs(frame.assign(prob_other=0.0))
    with pytest.raises(ContractError, match="no column prob_other"):
        labels_and_probs(frame)
