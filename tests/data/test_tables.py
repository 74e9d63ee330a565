import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dermlab.data.classes import Classes
from dermlab.data.questionnaire import Question
from dermlab.data.tables import MANIFEST, SOURCE_MANIFEST, read_table, write_table
from dermlab.run.errors import ContractError


def manifest(**changes) -> pd.DataFrame:
    rows = {
        "image_id": ["b", "a"],
        "label": ["x", "y"],
        "split": ["train", "val"],
        "weight": [1.0, 1.0],
        "origin": ["kept", "kept"],
        "labels": [(("x", 0.75), ("y", 0.25)), None],
    }
    return pd.DataFrame({**rows, **changes})


def test_rows_are_sorted_and_the_same_rows_give_the_same_bytes(tmp_path):
    write_table(tmp_path / "one.parquet", manifest(), MANIFEST)
    write_table(tmp_path / "two.parquet", manifest().iloc[::-1], MANIFEST)
    assert list(read_table(tmp_path / "one.parquet", MANIFEST)["image_id"]) == ["a", "b"]
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"image_id": ["a", "a"]}, "column image_id, row 1: the id 'a' stands there a second time"),
        ({"split": ["train", "dev"]}, "column split, row 1: dev is not one of train, val, test"),
        ({"label": ["x", None]}, "column label, row 1: is empty"),
        ({"weight": ["heavy", "light"]}, "column weight: "),
        ({"colour": ["red", "red"]}, "column colour is not part of this table"),
        ({"labels": [(("x", 0.75), ("y", 0.5)), None]}, "column labels, row 0: .* are no shares above 0 that sum to 1"),
        ({"labels": [(("x", 0.75), ("x", 0.25)), None]}, "column labels, row 0: .* a name each"),
        ({"labels": [(("x", 1.25), ("y", -0.25)), None]}, "column labels, row 0: .* are no shares above 0"),
        ({"labels": [None, (("x", 0.5), ("y", 0.5))]}, "column labels, row 1: only rows of split train have more than their label"),
    ],
)
def test_an_error_names_file_column_and_row_and_leaves_no_file(tmp_path, changes, says):
    path = tmp_path / "manifest.parquet"
    with pytest.raises(ContractError, match=says) as error:
        write_table(path, manifest(**changes), MANIFEST)
    assert str(path) in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(ContractError, match="column origin is missing"):
        write_table(tmp_path / "manifest.parquet", manifest().drop(columns="origin"), MANIFEST)


def test_text_is_text_however_it_is_stored_and_a_column_that_stands_twice_is_named(tmp_path):
    path = tmp_path / "manifest.parquet"
    write_table(path, manifest(), MANIFEST)
    stored = pq.read_table(path)
    for kind in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.large_string()), pa.dictionary(pa.int8(), pa.string())):
        pq.write_table(
            stored.set_column(stored.schema.get_field_index("label"), "label", stored["label"].cast(pa.string()).cast(kind)), path
        )
        assert read_table(path, MANIFEST)["label"].tolist() == ["y", "x"]
    pq.write_table(stored.append_column("label", stored["label"]), path)
    with pytest.raises(ContractError, match=r"manifest.parquet cannot be read as Parquet \(Multiple matches for FieldRef.Name\(label\)"):
        read_table(path, MANIFEST)


def test_answers_survive_the_table_and_missing_ones_stay_missing(tmp_path):
    questions = (
        Question(name="sex", kind="choice", choices=("f", "m")),
        Question(name="parts", kind="multi", choices=("arm", "leg")),
        Question(name="days", kind="number", low=0, high=9),
    )
    rows = pd.DataFrame(
        {
            "image_id": ["a", "b"], "patient_id": ["p", "q"], "case_id": ["p", "q"], "key": ["a.jpg", "b.jpg"], "size": [1, 2],
            "etag": ["1", "2"], "diagnosis": ["x", "y"], "split": [None, None],
            "q_sex": ["f", None], "q_parts": [("arm", "leg"), None], "q_days": [3.0, float("nan")],
        }
    )  # fmt: skip
    write_table(tmp_path / "manifest.parquet", rows, SOURCE_MANIFEST, questions)
    back = read_table(tmp_path / "manifest.parquet", SOURCE_MANIFEST)
    assert back["q_parts"].tolist() == [("arm", "leg"), None]
    assert back["q_sex"].isna().tolist() == [False, True]
    assert back["q_days"][0] == 3.0
    assert back["q_days"].isna()[1]


def test_a_label_that_is_no_class_is_named_with_its_row():
    classes = Classes(("eczema", "psoriasis"))
    assert classes.encode(["psoriasis", "other"]).tolist() == [1, 2]
    with pytest.raises(ContractError, match="row 1: 'psoriasys' is not one of the 3 classes"):
        classes.encode(["eczema", "psoriasys"])
