"""One thing under one name, and two things under two: ids and classes as people and spreadsheets write them."""

import pandas as pd
import pytest
from sources import ROWS, scan, source, table_of

from dermlab.lock.spelling import alike, joined_ids, joined_labels
from dermlab.run.errors import SourceError

SAME = [
    ("P-0", "P\u20130", "P\u20110", "P\u22120", "\uff30\uff0d0"),
    ("p 1", "\u200ep 1", "P\u00a01", "p\u2003 1", "p\ufeff 1\u200f", "p \u00ad1"),
    ("O'Neil", "O\u2019Neil", "o\u02bcneil"),
    ("1", "1.0", "1,0", "\uff11"),
]


OTHERS = [("10²", "102"), ("1½", "11/2"), ("CO₂", "CO2"), ("A", "\u0391"), ("P1", "P-1"), ("HPV+", "HPV-"), ("a b", "ab"), ("1,000", "1")]


@pytest.mark.parametrize("spellings", SAME)
def test_spellings_that_look_alike_are_one(spellings):
    assert len(set(map(alike, spellings))) == 1


def test_a_name_shows_all_that_it_holds_but_joiners_that_shape_letters():
    labels, said = joined_labels(pd.Series(["nae\u00advus", "nae\u00advus", "naevus", "می\u200cخواهم"]))
    assert labels.tolist() == ["naevus", "naevus", "naevus", "می\u200cخواهم"]
    assert said == ["labels joined with another spelling: 'nae\\xadvus' as 'naevus', 2 rows"]


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_what_may_mean_two_things_is_never_joined(one, other):
    assert alike(one) != alike(other)


@pytest.mark.parametrize("typed", ["\u200e{}", "{}\u200b", '"=""{}"""', "'{}"])
def test_a_cell_that_looks_the_same_is_the_same_in_every_column(tmp_path, capsys, typed):
    def cell(value, i):
        return typed.format(value) if i % 2 else value

    rows = [
        (cell(image, i), cell(label, i), cell(patient, i), cell(patient, i), cell("train" if i < 4 else "test", i), cell("f", i))
        for i, (image, label, patient) in enumerate(ROWS)
    ]
    listing = scan(source(tmp_path, table_of("image,label,patient_id,case_id,split,q_sex", rows)))
    manifest = listing.manifest
    assert manifest["key"].tolist() == [row[0] for row in ROWS]
    assert manifest[["patient_id", "case_id", "diagnosis", "split", "q_sex"]].nunique().tolist() == [4, 4, 2, 2, 1]
    assert "are taken off: image (4 cells), label (4 cells), patient_id (4 cells), case_id (4 cells), split" in capsys.readouterr().out


def test_dashes_and_blanks_within_are_joined_in_every_column_and_said(tmp_path, capsys):
    def cell(value, i):
        return value.replace("-", "\u2013").replace(" ", "\u00a0") if i % 2 else value

    rows = [tuple(cell(value, i) for value in (*(f"a - {value}" for value in row), "x - y")) for i, row in enumerate(ROWS)]
    listing = scan(source(tmp_path, table_of("image,label,patient_id,q_sex", rows), [f"a - {row[0]}" for row in ROWS]))
    assert listing.manifest[["patient_id", "diagnosis", "q_sex"]].nunique().tolist() == [4, 2, 1]
    said = capsys.readouterr().out
    assert "4 other spellings of a patient are joined with the first, in 4 rows: blanks, dashes, " in said
    assert "labels joined with another spelling: 'a\\xa0–\\xa0eczema' as 'a – eczema', 4 rows" in said
    assert "q_sex: 1 spelling is joined with a commoner one: 'x\\xa0–\\xa0y' as 'x - y', 4 rows" in said
    assert "4 images are found by a name in other case, dashes or blanks" in said


@pytest.mark.parametrize(
    "rounded", ["2.01912E+11", '"2,01912E+11"', "2.01912e11", "2E+11", "2019120000001230000", "-2.01912E11", "-2E11", "2.01912×10^11"]
)
@pytest.mark.parametrize("column", ["patient_id", "case_id", "image"])
def test_ids_that_a_spreadsheet_has_rounded_are_refused_with_their_lines(tmp_path, column, rounded):
    rows = [(*row, row[2]) for row in ROWS]
    at = ["image", "label", "patient_id", "case_id"].index(column)
    for i in (2, 3):
        rows[i] = (*rows[i][:at], rounded.replace("123", f"{123 + i}") if rounded.isdigit() else rounded, *rows[i][at + 1 :])
    with pytest.raises(SourceError, match=f"lines 4, 5, column {column}: 2 ids are rounded.*Format that column as text") as error:
        scan(source(tmp_path, table_of("image,label,patient_id,case_id", rows)))
    assert rounded.strip('"') not in str(error.value).replace("(as 2.01912E+11)", "")


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        (["2E11", "2E11", "A1", "A2", "A3"], "lines 2, 3, 7, 8, column patient_id: 4 ids are rounded, in E-notation"),
        (["1E11", "2E11", "3E11", "4E11"], "8 ids are rounded"),
        (["inf", "B", "C", "D"], "lines 2, 6, column patient_id: 2 ids are endless numbers"),
        (["#VALUE!", "B", "C", "D"], "2 ids are errors .as #VALUE!."),
        (["2024-03-01", "3-41", "C", "D"], "lines 2, 6, column patient_id: 2 ids are dates, where others are none"),
        (["01.03.2024", "B", "C", "D"], "2 ids are dates"),
        (["03/01/24", "B", "C", "D"], "2 ids are dates"),
        (["2024-03-01 00:00:00", "B", "C", "D"], "2 ids are dates"),
        (["1. März 2024", "B", "C", "D"], "2 ids are dates"),
        (['"March 1, 2024"', "B", "C", "D"], "2 ids are dates"),
    ],
)
def test_ids_that_became_numbers_or_dates_are_refused_in_all_ways_of_writing_them(tmp_path, ids, says):
    rows = [(image, label, ids[i % len(ids)]) for i, (image, label, _) in enumerate(ROWS)]
    with pytest.raises(SourceError, match=says) as error:
        scan(source(tmp_path, table_of(rows=rows)))
    assert ids[0].strip('"') not in str(error.value).replace("(as #VALUE!)", "")


@pytest.mark.parametrize("ids", [["2E11", *[f"A{i}" for i in range(7)]], ["2E11", "3E11", "2A11", "2B3"], [f"12e4{i}" for i in range(8)]])
def test_a_code_that_may_be_a_number_is_a_code_and_a_doubt_is_said(tmp_path, capsys, ids):
    rows = [(image, label, ids[i % len(ids)]) for i, (image, label, _) in enumerate(ROWS)]
    assert scan(source(tmp_path, table_of(rows=rows))).manifest["patient_id"].nunique() == len(ids)
    assert ("look like a number in E-notation, and are taken for codes" in capsys.readouterr().out) == (ids[0] == "2E11")


@pytest.mark.parametrize("ids", [[f"2024-03-{day:02d}" for day in (1, 2, 3, 4)], ["2024-03-01", "2024-17-02", "2024-17-40", "A"]])
def test_where_all_ids_are_dates_or_not_all_of_their_kind_they_are_ids(tmp_path, ids):
    rows = [(image, label, ids[i // 2]) for i, (image, label, _) in enumerate(ROWS)]
    assert scan(source(tmp_path, table_of(rows=rows))).manifest["patient_id"].nunique() == 4


@pytest.mark.parametrize("patients", [["X"], ["TRUE", "FALSE"]])
def test_a_column_that_names_hardly_anybody_is_no_column_of_patients(tmp_path, patients):
    rows = [(f"{i:02d}.jpg", ("nevus", "eczema")[i % 2], patients[i % len(patients)]) for i in range(10)]
    with pytest.raises(
        SourceError, match=f"column patient_id: all 10 photos are of {len(patients)} patient.*--patient-column.*--no-patients"
    ):
        scan(source(tmp_path, table_of(rows=rows), [row[0] for row in rows]))


def test_ids_that_a_spreadsheet_took_for_dates_are_refused_where_others_show_what_they_were(tmp_path):
    rows = [(image, label, ("3-1", "1-Mar")[i % 2]) for i, (image, label, _) in enumerate(ROWS)]
    with pytest.raises(SourceError, match="lines 3, 5, 7, 9, column patient_id: 4 ids are dates, where others are as 3-1"):
        scan(source(tmp_path, table_of(rows=rows)))
    rows = [(image, label, f"Mar-{i // 2:02d}") for i, (image, label, _) in enumerate(ROWS)]
    assert scan(source(tmp_path, table_of(rows=rows))).manifest["patient_id"].nunique() == 4


@pytest.mark.parametrize("first", [20191200000000000, 20191201123045])
def test_long_ids_that_keep_their_digits_are_ids(tmp_path, first):
    rows = [(image, label, f"{first + i // 2}".ljust(17, "0")) for i, (image, label, _) in enumerate(ROWS)]
    assert scan(source(tmp_path, table_of(rows=rows))).manifest["patient_id"].nunique() == 4


@pytest.mark.parametrize("word", ["unknown", "N/A", "n.a.", "None", "-", "?", "--", "(anonymous)", "NOT_KNOWN", "#N/A", "\u2014", "nan"])
def test_a_word_for_nobody_is_no_patient_and_no_case(tmp_path, capsys, word):
    rows = [(image, label, word if i in (1, 4) else patient) for i, (image, label, patient) in enumerate(ROWS)]
    with pytest.raises(SourceError, match="lines 3, 6, column patient_id: .* names no patient, in 2 rows"):
        scan(source(tmp_path, table_of(rows=rows)))
    rows = [(*ROWS[i], row[2]) for i, row in enumerate(rows)]
    manifest = scan(source(tmp_path, table_of("image,label,patient_id,visit_id", rows))).manifest
    assert manifest["case_id"].tolist() == manifest["patient_id"].tolist()
    assert "2 rows have a word for nothing as the case; it is read as empty" in capsys.readouterr().out


def test_one_name_for_many_of_the_rows_is_told(tmp_path, capsys):
    rows = [(f"{i:02d}.jpg", ("nevus", "eczema")[i % 2], "0" if i > 9 else f"P{i}") for i in range(20)]
    scan(source(tmp_path, table_of(rows=rows), [row[0] for row in rows]))
    assert "one patient has 10 of 20 rows (first: line 12)" in capsys.readouterr().out


def test_numbers_as_labels_are_one_class_with_and_without_a_point(tmp_path, capsys):
    rows = [(image, f"{i % 2}{'.0' if i > 4 else ''}", patient) for i, (image, _, patient) in enumerate(ROWS)]
    assert scan(source(tmp_path, table_of(rows=rows))).classes.targets == ("0", "1")
    assert "labels joined with another spelling: '0.0' as '0', 1 row; '1.0' as '1', 2 rows" in capsys.readouterr().out


def test_one_person_has_one_spelling_and_it_is_said():
    joined, said = joined_ids(pd.Series(["P1", "p1", "P1 ", "é", "e\u0301", "7", "7.0", "P  2", "p 2"]), "patient", "labels.csv")
    assert joined.nunique() == 4
    assert joined[0] == joined[1] == joined[2] == "P1"
    assert said == [
        "5 other spellings of a patient are joined with the first, in 5 rows: blanks, dashes, case, accents, `.0`, what is not seen "
        "(lines 1, 2, 4, 6, 8)"
    ]


def test_patients_that_differ_in_leading_zeros_are_a_doubt_and_the_error_names_lines_only():
    with pytest.raises(SourceError, match="labels.csv, lines 3 and 4: two patients differ in leading zeros") as error:
        joined_ids(pd.Series(["1", "0099", "99"], index=[2, 3, 4]), "patient", "labels.csv")
    assert "99" not in str(error.value)


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("P01", "P1", "leading zeros"), ("P00", "P0", "leading zeros"), ("1-01", "1-1", "leading zeros"),
        ("1,001", "1001", "separators"), ("1.000", "1000", "separators"), ("1 001", "1001", "separators"), ("1'001", "1001", "separators"),
        ("P-0", "P0", "separators"), ("12-34-56", "123456", "separators"), ("Ann-Marie", "AnnMarie", "separators"),
        ("P_0", "P 0", "what stands between their parts"), ("1/2", "1-2", "what stands between their parts"),
        ("\u0420\u04100", "PA0", "letters of another alphabet"), ("\u0391\u0392", "AB", "letters of another alphabet"),
        ("\u0661\u06621", "121", "letters of another alphabet"),
    ],
)  # fmt: skip
def test_two_ids_that_hardly_differ_are_a_doubt(one, other, how):
    with pytest.raises(SourceError, match=f"labels.csv, lines 3 and 5: two patients differ in {how}") as error:
        joined_ids(pd.Series(["X", one, "Y", other], index=[2, 3, 4, 5]), "patient", "labels.csv")
    assert other not in str(error.value)
    assert joined_ids(pd.Series(["X", one, "Y", one]), "patient", "labels.csv")[0].nunique() == 3  # alone it is no doubt


def test_ids_that_differ_in_more_are_ids():
    ids = ["1-11", "11-1", "111", "1.5", "15", "A-BC", "AB-C", "P1-1", "P11", "10", "100", "P10", "P1", "\u0410\u0411"]
    assert joined_ids(pd.Series(ids), "patient", "labels.csv")[0].tolist() == ids


@pytest.mark.parametrize("word", ["NaN", "N/A", "null", "#N/A", "NA", "<NA>", "n.a.", "#REF!"])
def test_a_word_for_no_label_is_no_class(tmp_path, word):
    rows = [(image, word if i in (1, 4) else label, patient) for i, (image, label, patient) in enumerate(ROWS)]
    with pytest.raises(SourceError, match="lines 3, 6, column label: .* is no label, in 2 rows"):
        scan(source(tmp_path, table_of(rows=rows)))


def test_classes_that_may_be_no_class_or_one_stay_and_are_said():
    labels, said = joined_labels(pd.Series(["1", "01", "TRUE", "unknown", "unknown", "basal cell", "basalcell", "none"]))
    assert labels.tolist() == ["1", "01", "TRUE", "unknown", "unknown", "basal cell", "basalcell", "none"]
    assert said == [
        "classes that may stand for no label: 'unknown' (2 rows), 'none' (1 row)",
        "classes that may be one, and stay two: '1' and '01'",
        "classes that may be one, and stay two: 'basal cell' and 'basalcell'",
        "classes that may be one, and stay two: '1' and 'TRUE'",
    ]


def test_words_of_a_class_are_parted_by_what_they_may_be_and_other_is_the_pool():
    labels, said = joined_labels(pd.Series(["basal_cell", "basal cell", "basal-cell", "basal cell", "HPV+", "HPV-", "OTHER", "Other"]))
    assert labels.tolist() == ["basal cell"] * 4 + ["HPV+", "HPV-", "other", "other"]
    assert said == [
        "labels joined into the pool `other`: 'OTHER' as 'other', 1 row; 'Other' as 'other', 1 row",
        "labels joined with another spelling: 'basal-cell' as 'basal cell', 1 row; 'basal_cell' as 'basal cell', 1 row",
    ]


def test_a_class_whose_name_a_terminal_would_obey_is_cleaned_and_said():
    labels, said = joined_labels(pd.Series(["nae\nvus\x1b[31m", "eczema"]))
    assert labels.tolist() == ["nae vus[31m", "eczema"]
    assert said == ["labels written on one line, without characters that are not seen: 'nae\\nvus\\x1b[31m' as 'nae vus[31m', 1 row"]


def test_a_class_is_spelt_as_most_rows_spell_it():
    labels, said = joined_labels(pd.Series(["Eczema", "eczema", "Eczema", "NA", "seborrheic  keratosis", "Seborrheic keratosis"]))
    assert labels.tolist() == ["Eczema", "Eczema", "Eczema", "NA", "Seborrheic keratosis", "Seborrheic keratosis"]
    assert said == [
        "labels joined with another spelling: 'eczema' as 'Eczema', 1 row; 'seborrheic  keratosis' as 'Seborrheic keratosis', 1 row"
    ]


def test_what_is_joined_by_blanks_alone_is_counted_and_a_class_without_rows_is_named(tmp_path, capsys):
    rows = [
        (image, f"{label} " if i == 3 else label, f" {patient}" if i in (1, 2) else patient)
        for i, (image, label, patient) in enumerate(ROWS)
    ]
    assert scan(source(tmp_path, table_of(rows=rows))).manifest[["diagnosis", "patient_id"]].nunique().tolist() == [2, 4]
    assert "blanks that set spellings apart are taken off: label (1 cell), patient_id (2 cells)" in capsys.readouterr().out
    rows = [(f" {image}", f"{label:9}", f"{patient:>4}") for image, label, patient in ROWS]  # padded throughout: nothing is joined
    scan(source(tmp_path, table_of(rows=rows)))
    assert "blanks" not in capsys.readouterr().out
    rows = [(image, *("01", "10")[i % 2], "0", patient) for i, (image, _, patient) in enumerate(ROWS)]
    scan(source(tmp_path, table_of("image,MEL,NV,DF,patient_id", rows)))
    assert "no row has a 1 in DF\n" in capsys.readouterr().out
