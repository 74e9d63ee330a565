"""Tables as people export them: read rightly, or refused with the line."""

import contextlib
import csv
import io
import unicodedata

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dermlab.lock.label_table import read_label_table
from dermlab.lock.spelling import trimmed
from dermlab.run.errors import SourceError

ROWS = [["1.jpg", "nævus", "P1"], ["2.jpg", "eczema, dry", "P2"], ["3.jpg", "", "P3"]]
HEADER = ["image", "label", "patient_id"]


def written(rows=ROWS, delimiter=",", header=HEADER, encoding="utf-8", before="", end="\r\n") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows([header, *rows])
    return (before + text.getvalue()).encode(encoding)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_delimiter_encoding_and_line_end_gives_the_same_rows(delimiter, encoding, end):
    table = read_label_table(written(delimiter=delimiter, encoding=encoding, end=end), "labels.csv")
    assert table.frame.columns.tolist() == HEADER
    assert table.frame.values.tolist() == [["1.jpg", "nævus", "P1"], ["2.jpg", "eczema, dry", "P2"], ["3.jpg", None, "P3"]]
    assert table.frame.index.tolist() == [2, 3, 4]


def test_an_encoding_that_is_not_utf8_is_said():
    assert read_label_table(written(encoding="cp1252"), "labels.csv").said == ["read as cp1252, since it is not UTF-8"]


@pytest.mark.parametrize("stated", ["sep=;\r\n", '"sep=;"\r\n', "SEP=;\n"])
def test_the_delimiter_that_excel_states_holds(stated):
    table = read_label_table(written(delimiter=";", before=stated), "labels.csv")
    assert table.frame["label"].tolist() == ["nævus", "eczema, dry", None]
    assert table.frame.index.tolist() == [3, 4, 5]


def test_a_delimiter_at_the_end_of_each_line_shifts_nothing():
    data = b"image,label,patient_id\n1.jpg,nevus,P1,\n2.jpg,eczema,P2,,\n"
    assert read_label_table(data, "labels.csv").frame["image"].tolist() == ["1.jpg", "2.jpg"]
    data = b"image,label,patient_id,\n1.jpg,nevus,P1,\n"
    assert read_label_table(data, "labels.csv").frame.columns.tolist() == HEADER


def test_a_header_or_cells_full_of_another_delimiter_are_no_delimiter():
    table = read_label_table(b"image,label,q_a;b;c;d;e\n1.jpg,nevus,x;y\n2.jpg,eczema,z\n", "labels.csv").frame
    assert table.columns.tolist() == ["image", "label", "q_a;b;c;d;e"]
    assert table["q_a;b;c;d;e"].tolist() == ["x;y", "z"]


def test_blanks_around_headers_and_cells_go_and_accents_are_composed():
    data = ' image ,\ufefflabel\u00a0, "patient_id"\n 1.jpg ,nae\u0301vus,P1\u00a0\n'.encode()
    table = read_label_table(data.replace(b', "patient_id"', b",patient_id"), "labels.csv").frame
    assert table.columns.tolist() == HEADER
    assert table.iloc[0].tolist() == ["1.jpg", "na\u00e9vus", "P1"]


def test_what_is_not_seen_and_what_makes_a_cell_text_go_and_are_said():
    data = '="image",label,patient_id\n="01.jpg",\u200enevus,="001X"\n"=""02.jpg""",nevus\u2060,\'001X\n03.jpg,\u3000\'t Hooft\'s,\u200b\n'
    table = read_label_table(data.encode(), "labels.csv")
    assert table.frame.values.tolist() == [["01.jpg", "nevus", "001X"], ["02.jpg", "nevus", "001X"], ["03.jpg", "'t Hooft's", None]]
    assert table.said == [
        "characters that are not seen are taken off: label (2 cells), patient_id (1 cell)",
        "a spreadsheet's guards of text (=\"\", ') are taken off: image (2 cells), patient_id (2 cells)",
    ]


def test_blank_lines_repeated_headers_and_an_index_without_a_name_are_passed_over_and_said():
    data = b",image,label,patient_id\n0,1.jpg,nevus,P1\n\n,,,\n,image,label,patient_id\n1,2.jpg,eczema,P2\n"
    table = read_label_table(data, "labels.csv")
    assert table.frame.index.tolist() == [2, 6]
    assert table.said == [
        "the header stands there 2 times; the later one is passed over",
        "1 column without a name is passed over",
    ]


def test_a_quoted_value_may_hold_delimiters_quotes_and_line_ends():
    data = b'image,label,patient_id\n1.jpg,"dry, ""scaly""\neczema",P1\n2.jpg,nevus,P2\n'
    table = read_label_table(data, "labels.csv").frame
    assert table["label"].tolist() == ['dry, "scaly"\neczema', "nevus"]
    assert table.index.tolist() == [2, 4]


def test_words_that_other_readers_take_for_nothing_are_values():
    data = b"image,label,patient_id\n1.jpg,NA,null\n2.jpg,None,nan\n"
    assert read_label_table(data, "labels.csv").frame["label"].tolist() == ["NA", "None"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"image,label\n", "has a header .image, label. and no rows"),
        (b"image,label,patient_id\n1.jpg,dry, scaly,P1\n", "line 2: has 4 values, the header names 3"),
        (b"image,label,patient_id\n1.jpg,dry,P1\n2.jpg,dry\n", "line 3: has 2 values, the header names 3"),
        (b"image,label,label\n1.jpg,a,b\n", "two columns are named 'label'"),
        (b"image,label, Label \n1.jpg,a,b\n", "two columns are named 'Label'"),
        (b'image,label\n1.jpg,"dry\n2.jpg,wet\n', "line 2: a quoted value does not end"),
        (b"PK\x03\x04rest", "Excel workbook.*Save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0rest", "old Excel workbook"),
        (b"image,label\n1.jpg,a\x00b\n", "line 2: holds a zero byte"),
        (b"PAR1rest", "cannot be read as Parquet"),
    ],
)
def test_what_cannot_be_a_table_of_labels_is_refused(data, says):
    with pytest.raises(SourceError, match=f"labels.csv.*{says}"):
        read_label_table(data, "labels.csv")


def test_parquet_is_read_as_text(tmp_path):
    frame = pd.DataFrame({"image": ["1.jpg", "2.jpg"], "label": ["a", None], "patient_id": [1, 2], "when": [1.5, None]})
    frame.to_parquet(tmp_path / "labels.parquet")
    table = read_label_table((tmp_path / "labels.parquet").read_bytes(), "labels.parquet").frame
    assert table["patient_id"].tolist() == ["1", "2"]
    assert table["label"].tolist() == ["a", None]


def test_whole_numbers_that_a_gap_made_floating_are_whole_and_rounded_ones_show_it(tmp_path):
    frame = pd.DataFrame({"patient_id": [201912000001.0, None, 2.0], "rounded": [2.01912e18, 1.5, float("nan")]})
    frame.to_parquet(tmp_path / "labels.parquet")
    table = read_label_table((tmp_path / "labels.parquet").read_bytes(), "labels.parquet").frame
    assert table["patient_id"].tolist() == ["201912000001", None, "2"]
    assert table["rounded"].tolist() == ["2.01912e+18", "1.5", None]


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_numbers_that_their_type_cannot_hold_show_that_they_are_rounded(kind):
    table = read_label_table(parquet(patient_id=pa.array([2.0**60, 3.0, float("inf")]).cast(kind, safe=False)), "labels.parquet").frame
    big, small, endless = table["patient_id"]
    assert small == "3"
    assert endless == "inf"
    assert big == ("inf" if kind == pa.float16() else "1.152921504606847e+18" if kind == pa.float64() else "1.1529215e+18")


def parquet(**columns) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def test_a_row_of_parquet_is_counted_from_one_and_called_a_row():
    index = read_label_table(parquet(image=["1.jpg", "2.jpg"]), "labels.parquet").frame.index
    assert (index.tolist(), index.name) == ([1, 2], "row")


LISTS, RECORDS = [["a"], ["b"]], [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(("name", "values"), [("label", LISTS), ("Patient ID", RECORDS), ("q_parts", LISTS), ("image", RECORDS)])
def test_a_column_of_lists_or_records_that_would_be_read_is_refused_and_another_is_said(name, values):
    with pytest.raises(SourceError, match=f"labels.parquet, column {name} .*holds lists or records"):
        read_label_table(parquet(**{"file": ["1", "2"], name: values}), "labels.parquet")
    table = read_label_table(parquet(file=["1", "2"], embedding=values), "labels.parquet")
    assert table.frame.columns.tolist() == ["file"]
    assert table.said == ["columns of lists or records are passed over: embedding"]


def test_two_columns_of_a_name_and_bytes_that_are_no_text_are_named_in_parquet_too():
    out = io.BytesIO()
    pq.write_table(pa.table([["1"], ["a"], ["b"]], names=["image", "label", "label"]), out)
    with pytest.raises(SourceError, match="labels.parquet: two columns are named 'label'"):
        read_label_table(out.getvalue(), "labels.parquet")
    with pytest.raises(SourceError, match="labels.parquet, column label: binary cannot be read as text"):
        read_label_table(parquet(image=["1"], label=[b"n\xe6vus"]), "labels.parquet")


CELL = st.text(st.characters(exclude_characters="\0='", exclude_categories=("Cs",)), max_size=12)  # = and ' guard, see above


@settings(deadline=None)
@given(
    st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_whatever_the_cells_hold_each_row_is_read_back(rows, delimiter, encoding):
    data = written([list(row) for row in rows], delimiter, encoding=encoding)
    clean = [[trimmed(unicodedata.normalize("NFC", cell)) or None for cell in row] for row in rows]
    clean = [row for row in clean if any(row) and row != HEADER]
    if not clean:
        return
    assert read_label_table(data, "labels.csv").frame.values.tolist() == clean


@settings(deadline=None)
@given(st.binary(max_size=300))
@example(b"\xff\xfe")
@example(b"\xff\xfeabc")
@example(b"sep=,\n")
@example(b"\x81\x8d\x8f,\x90\n\x9d,\x81\n")
@example(b'"')
def test_any_bytes_are_a_table_or_an_error_in_words(data):
    with contextlib.suppress(SourceError):
        assert len(read_label_table(data, "labels.csv").frame)
