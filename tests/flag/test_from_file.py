import numpy as np
import pandas as pd
import pytest

from dermlab.data.classes import Classes
from dermlab.data.tables import PREDICTIONS, write_table
from dermlab.flag.from_file import read_probabilities
from dermlab.run.errors import ContractError, ParamsError
from dermlab.run.files import sha256_file

CLASSES = Classes(("eczema", "psoriasis"))
ROWS = pd.DataFrame({"image_id": ["a", "b", "c"], "label": ["eczema", "other", "psoriasis"]})


def table(probs=((0.7, 0.2, 0.1), (0.1, 0.1, 0.8), (0.25, 0.5, 0.25), (1, 0, 0)), labels=("eczema", "other", "psoriasis", "eczema")):
    frame = pd.DataFrame({"image_id": list("abcd"), "patient_id": "p", "diagnosis": "d", "label": labels})
    return pd.concat([frame, pd.DataFrame(np.array(probs, np.float32), columns=[f"prob_{name}" for name in CLASSES.names])], axis=1)


def named(path) -> str:
    return f"{path}@{sha256_file(path)[:12]}"


def test_probabilities_come_in_the_order_of_the_training_rows(tmp_path):
    path = tmp_path / "oof.parquet"
    write_table(path, table(), PREDICTIONS)
    probs = read_probabilities(named(path), ROWS.iloc[::-1], CLASSES).of_labels
    assert probs.shape == (1, 3, 3)
    np.testing.assert_allclose(probs[0, 2], [0.7, 0.2, 0.1])


def test_a_table_that_pandas_wrote_in_another_order_is_read(tmp_path):
    path = tmp_path / "oof.parquet"
    table()[["prob_other", "label", "prob_psoriasis", "image_id", "prob_eczema", "diagnosis", "patient_id"]].to_parquet(path)
    np.testing.assert_allclose(read_probabilities(named(path), ROWS, CLASSES).of_labels[0, 0], [0.7, 0.2, 0.1], atol=1e-6)


def test_a_file_must_be_named_with_its_content_and_the_error_gives_the_name(tmp_path):
    path = tmp_path / "oof.parquet"
    write_table(path, table(), PREDICTIONS)
    with pytest.raises(ParamsError, match=f"-S flag.probs={named(path)}"):
        read_probabilities(str(path), ROWS, CLASSES)
    with pytest.raises(ParamsError, match="is not the file named by @000000000000"):
        read_probabilities(f"{path}@000000000000", ROWS, CLASSES)
    with pytest.raises(ParamsError, match="there is no file"):
        read_probabilities(str(tmp_path / "none.parquet"), ROWS, CLASSES)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (table().iloc[[0, 2]], "no probabilities of 1 of 3 training rows .first: b."),
        (table().drop(columns="prob_other"), "no column prob_other"),
        (table(labels=("eczema", "eczema", "psoriasis", "eczema")), "1 rows bear another label .*first: b"),
        (table(((0.7, 0.2, 0.2), (0.1, 0.1, 0.8), (0.25, 0.5, 0.25), (1, 0, 0))), "image a: the probabilities are no distribution"),
        (
            table(((0.7, 0.2, 0.1), (float("nan"), 0.2, 0.8), (0.25, 0.5, 0.25), (1, 0, 0))),
            "image b: the probabilities are no distribution|is empty",
        ),
        (table().assign(prob_zebra=0.0), "column prob_zebra: there is no such class here"),
        (table(((0.7, 0.2, 0.1), (0.1, 0.1, 0.8), (0.25, 0.5, 0.25), (1, 7, 0))), "row 3, image d: .* column prob_psoriasis holds 7"),
    ],
)
def test_what_does_not_cover_the_training_rows_is_refused(tmp_path, frame, said):
    path = tmp_path / "oof.parquet"
    write_table(path, frame, PREDICTIONS)
    with pytest.raises(ContractError, match=said):
        read_probabilities(named(path), ROWS, CLASSES)
