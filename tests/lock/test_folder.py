"""Folders, zips and tables as people have them."""

import os
import stat
import unicodedata
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from photos import jpeg

from dermlab.lock.keys import keys_of
from dermlab.lock.listing import Options
from dermlab.lock.lock import lock
from dermlab.lock.preview import preview
from dermlab.lock.sources import open_source
from dermlab.lock.spelling import alike, joined_ids, joined_labels
from dermlab.run.errors import SourceError

ROWS = [(f"{i:02d}.jpg", ("nevus", "eczema")[i % 2], f"P{i // 2}") for i in range(8)]


def source(folder: Path, table: str | bytes | None, files=None, name: str = "labels.csv") -> str:
    for i, key in enumerate(files or [row[0] for row in ROWS]):
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(jpeg(i))
    if table is not None:
        (folder / name).write_bytes(table if isinstance(table, bytes) else table.encode())
    return f"folder:{folder}"


def table_of(header: str = "image,label,patient_id", rows=ROWS, delimiter: str = ",") -> str:
    return "\n".join([header.replace(",", delimiter), *(delimiter.join(row) for row in rows)])


def scan(uri: str, **options):
    return open_source(uri, Options(min_class_count=1, **options)).scan()


@pytest.mark.parametrize(
    "header",
    [
        "image,label,patient_id",
        "filename,dx,lesion_id",
        "Image Path,Diagnosis,Patient ID",
        "img,class,subject",
        "file,Condition,patient-id",
    ],
)
def test_columns_are_known_by_the_names_that_people_use(tmp_path, header):
    manifest = scan(source(tmp_path, table_of(header))).manifest
    assert manifest["patient_id"].nunique() == 4
    assert manifest["diagnosis"].value_counts().to_dict() == {"nevus": 4, "eczema": 4}


def test_what_was_guessed_or_passed_over_is_said(tmp_path, capsys):
    rows = [(*row, "x") for row in ROWS]
    scan(source(tmp_path, table_of("filename,dx,lesion_id,remark", rows), [*(row[0] for row in ROWS), "extra.jpg"]))
    said = capsys.readouterr().out
    assert "columns: image from filename, label from dx, patient from lesion_id" in said
    assert "columns passed over: remark (a name that begins with q_ makes a question of one)" in said
    assert said.count("patients are told apart by lesion_id, which tells lesions apart and not people: photos of one person may lie") == 1
    assert "1 photo has no row and is left out (first: 'extra.jpg')" in said


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("picture_of,label,patient_id", "no column is known as the image; .*--image-column 'picture_of'"),
        ("image,diagnoses,patient_id", "no column is known as the label; .*--label-column 'diagnoses'"),
        ("image,label,who", "nothing tells the patients apart; .*--patient-column with one of these: who. .*--no-patients"),
        ("image,label,patients", "nothing tells the patients apart; .*Say which: --patient-column 'patients'. "),
        ("image,q_sick,patient_id", "no column is known as the label; .*No column is left that could be the label"),
        (
            "Fotos,Diagnosen,wer",
            "the image and the label, and nothing tells .*Say which: --image-column 'Fotos' --label-column 'Diagnosen'",
        ),
        ("x,age,z", "Say which: --image-column 'x'. For the label say --label-column with one of these: age, z. For the patient say"),
        ("image,dx,diagnosis", "dx and diagnosis may both be the label|diagnosis and dx may both be the label"),
    ],
)
def test_where_a_column_is_not_clear_the_error_has_the_words_to_write(tmp_path, header, says):
    with pytest.raises(SourceError, match=says):
        scan(source(tmp_path, table_of(header)))


def test_a_column_that_was_asked_for_and_is_not_there_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(SourceError, match="column lable is missing; it has image, label, patient_id. Did you mean --label-column 'label'"):
        scan(source(tmp_path, table_of()), label_column="lable")


def test_an_excel_export_of_western_europe_is_read(tmp_path):
    rows = [(image, label.replace("nevus", "nævus"), patient, f"{i},5") for i, (image, label, patient) in enumerate(ROWS)]
    listing = scan(source(tmp_path, ("sep=;\r\n" + table_of("image,label,patient_id,q_age", rows, ";")).encode("cp1252")))
    assert listing.classes.targets == ("eczema", "nævus")
    assert [(q.name, q.kind, q.low, q.high) for q in listing.questions] == [("age", "number", 0.5, 7.5)]


@pytest.mark.parametrize("enclosed", ["", "photos/", "a/b/"])
def test_folders_named_after_classes_need_no_table(tmp_path, enclosed):
    files = [f"{enclosed}{label}/{i}.jpg" for i, (_, label, _) in enumerate(ROWS)]
    with pytest.raises(SourceError, match="nothing tells the patients apart.*say --no-patients"):
        scan(source(tmp_path, None, files))
    pin = lock(f"folder:{tmp_path}", Options(min_class_count=1, no_patients=True), tmp_path / "pin", tmp_path / "at")
    assert pin.classes.targets == ("eczema", "nevus")
    assert (pin.manifest["patient_id"] == pin.manifest["image_id"]).all()


def test_folders_of_splits_and_classes_in_a_zip_of_a_mac(tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for split in ("train", "valid", "Test"):
            for i, (_, label, _) in enumerate(ROWS):
                archive.writestr(f"skin/{split}/{label}/{split}{i}.jpg", jpeg(i))
                archive.writestr(f"__MACOSX/skin/{split}/{label}/._{split}{i}.jpg", b"resource fork")
        archive.writestr("skin/.DS_Store", b"\0")
    manifest = scan(f"folder:{tmp_path / 'photos.zip'}", no_patients=True).manifest
    assert manifest["split"].value_counts().to_dict() == {"train": 8, "val": 8, "test": 8}
    assert len(manifest) == 24


def test_train_and_test_alone_are_kept_and_val_is_said_to_come_out_of_train(tmp_path, capsys):
    files = [f"{split}/{label}/{i}.jpg" for split in ("train", "test") for i, (_, label, _) in enumerate(ROWS)]
    uri = source(tmp_path, None, files)
    assert scan(uri, no_patients=True).manifest["split"].value_counts().to_dict() == {"train": 8, "test": 8}
    assert "dermlab takes it out of train, by patient (catalog.val_fraction); test stays as it is" in capsys.readouterr().out
    assert scan(uri, no_patients=True, ignore_splits=True).manifest["split"].isna().all()
    preview(uri, Options(min_class_count=1, no_patients=True))
    assert "8; val is taken out of train, by patient" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["folders", "column"])
@pytest.mark.parametrize(
    ("splits", "says"),
    [
        (["train", "val"], "all rows are of split train and val, and none of test. .*name val `test`.*--ignore-splits"),
        (["train"], "all rows are of split train, and none of test"),
        (["test"], "all rows are of split test, and none of train. Nothing could be learnt from them"),
        (["val", "test"], "all rows are of split test and val, and none of train"),
        (["val"], "all rows are of split val, and none of test and train"),
    ],
)
def test_without_train_or_test_the_error_says_what_is_missing(tmp_path, kind, splits, says):
    names = [f"{splits[i % len(splits)]}/{label}/{image}" for i, (image, label, _) in enumerate(ROWS)]
    rows = [(*row, splits[i // 2 % len(splits)]) for i, row in enumerate(ROWS)]
    uri = source(tmp_path, None, names) if kind == "folders" else source(tmp_path, table_of("image,label,patient_id,split", rows))
    with pytest.raises(SourceError, match=says):
        scan(uri, no_patients=kind == "folders")


@pytest.mark.parametrize("enclosed", ["", "photos/"])
def test_where_a_table_tells_no_splits_the_folders_of_the_photos_do(tmp_path, capsys, enclosed):
    rows = [(f"{enclosed}{('Training', 'test')[i > 5]}/{image}", *row) for i, (image, *row) in enumerate(ROWS)]
    uri = source(tmp_path, table_of(rows=rows), [row[0] for row in rows])
    assert scan(uri).manifest["split"].tolist() == ["train"] * 6 + ["test"] * 2
    assert "the split is that of the folders which the photos lie in: Training, test" in capsys.readouterr().out
    assert scan(uri, ignore_splits=True).manifest["split"].isna().all()


def test_a_photo_beside_the_folders_of_the_splits_is_named_and_one_folder_alone_is_no_split(tmp_path):
    rows = [(f"{('train/', 'test/', '')[min(i // 3, 2)]}{image}", *row) for i, (image, *row) in enumerate(ROWS)]
    with pytest.raises(SourceError, match="lines 8, 9: the split '06.jpg' is not known.*--ignore-splits"):
        scan(source(tmp_path / "two", table_of(rows=rows), [row[0] for row in rows]))
    rows = [(f"{('test/', 'more/')[i % 2]}{image}", *row) for i, (image, *row) in enumerate(ROWS)]
    assert scan(source(tmp_path / "one", table_of(rows=rows), [row[0] for row in rows])).manifest["split"].isna().all()


def test_rows_without_a_split_beside_others_with_one_are_named(tmp_path):
    rows = [(*row, ("train", "test", "")[i // 3]) for i, row in enumerate(ROWS)]
    with pytest.raises(SourceError, match="lines 8, 9: 2 rows have no split, the others have.*--ignore-splits"):
        scan(source(tmp_path, table_of("image,label,patient_id,split", rows)))


def test_names_of_splits_are_known_however_they_are_typed(tmp_path, capsys):
    names = ("Train", "train\u200b set", "TEST", "test")
    rows = [(*row, names[i // 2]) for i, row in enumerate(ROWS)]
    manifest = scan(source(tmp_path, table_of("image,label,patient_id,split", rows))).manifest
    assert manifest["split"].tolist() == ["train"] * 4 + ["test"] * 4
    assert "splits spelt in several ways are joined: test (2), train (2)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (["train/nevus/1.jpg", "train/eczema/2.jpg", "test/3.jpg"], "its folders are not classes: test/3.jpg lies in none"),
        (
            ["train/nevus/1.jpg", "test/nevus/2.jpg", "extra/nevus/3.jpg"],
            "the folders test, train are splits, and extra beside them are none",
        ),
    ],
)
def test_splits_are_never_taken_for_classes(tmp_path, files, says):
    with pytest.raises(SourceError, match=says):
        scan(source(tmp_path, None, files), no_patients=True)


def test_a_photo_beside_the_folders_that_are_classes_is_named_and_no_split(tmp_path):
    files = [f"data/{split}/{label}/{i}.jpg" for split in ("train", "test") for i, (_, label, _) in enumerate(ROWS)]
    with pytest.raises(SourceError, match="its folders are not classes: data/README.jpg lies in none"):
        scan(source(tmp_path, None, [*files, "data/README.jpg"]), no_patients=True)


def test_without_a_table_the_photo_is_named_and_no_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for key in (*CLASSES, "../nevus/x.jpg"):
            archive.writestr(key, jpeg(1))
    with pytest.raises(SourceError, match="x.zip, photo '../nevus/x.jpg': .* points outside"):
        scan_classes(tmp_path / "x.zip")
    with pytest.raises(SourceError, match="photos 'na/00.jpg', .*column label: 'na' is no label"):
        scan(source(tmp_path / "in", None, [key.replace("nevus", "na") for key in CLASSES]), no_patients=True)


def test_a_photo_in_no_folder_is_named(tmp_path):
    with pytest.raises(SourceError, match="its folders are not classes: stray.jpg lies in none"):
        scan(source(tmp_path, None, ["stray.jpg", "nevus/1.jpg"]), no_patients=True)


def test_of_two_tables_one_must_be_chosen(tmp_path):
    uri = source(tmp_path, table_of())
    (tmp_path / "old.csv").write_text(table_of())
    with pytest.raises(SourceError, match="holds 2 tables: labels.csv, old.csv. Say which names the labels: --labels labels.csv"):
        scan(uri)
    assert len(scan(uri, labels="old.csv").manifest) == 8


def test_a_folder_of_images_may_be_a_link_that_the_user_made_and_no_other_may_lead_out(tmp_path):
    rows = [(f"images/{image}", label, patient) for image, label, patient in ROWS]
    source(tmp_path / "elsewhere", None)
    source(tmp_path / "in", table_of(rows=rows), ["placeholder.jpg"])
    (tmp_path / "in" / "images").symlink_to(tmp_path / "elsewhere")
    assert len(scan(f"folder:{tmp_path / 'in'}").manifest) == 8
    (tmp_path / "secret.jpg").write_bytes(jpeg(1))
    (tmp_path / "elsewhere" / "00.jpg").unlink()
    (tmp_path / "elsewhere" / "00.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(SourceError, match="link that leads out"):
        scan(f"folder:{tmp_path / 'in'}")


def test_rows_whose_image_is_missing_are_counted_and_left_out_only_if_asked(tmp_path, capsys):
    uri = source(tmp_path, table_of(rows=[*ROWS, ("gone.jpg", "nevus", "P9")]))
    with pytest.raises(SourceError, match="1 of 9 images is not there .first: line 10, 'gone.jpg'.*--skip-missing"):
        scan(uri)
    assert len(scan(uri, skip_missing=True).manifest) == 8
    assert "1 row whose image is not there is left out (line 10)" in capsys.readouterr().out


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


@pytest.mark.parametrize("ticks", ["01", ("0.0", "1.0"), ("FALSE", "TRUE"), ("", "1")])
def test_a_column_a_class_is_read_as_the_label_and_said(tmp_path, capsys, ticks):
    rows = [(*(ticks[j == (i % 2) + 1] for j in range(4)), image, patient, "left") for i, (image, _, patient) in enumerate(ROWS)]
    rows = [(row[4], *row[:4], *row[5:]) for row in rows]
    rows[0] = tuple(cell or "0" for cell in rows[0])
    listing = scan(source(tmp_path, table_of("image,AK,MEL,NV,UNK,patient_id,side", rows)))
    assert listing.manifest["diagnosis"].value_counts().to_dict() == {"MEL": 4, "NV": 4}
    said = capsys.readouterr().out
    assert "the label is the one of the columns AK, MEL, NV, UNK that is 1" in said
    assert "columns passed over: side (" in said


def test_a_column_a_class_with_none_or_several_ticked_is_refused_with_the_lines(tmp_path):
    rows = [(image, str(int(i not in (0, 3, 4))), str(int(i in (3, 5))), patient) for i, (image, _, patient) in enumerate(ROWS)]
    with pytest.raises(
        SourceError, match="lines 2, 6, 7: no column is known as the label, and of MEL, NV, .*2 rows have none and 1 several"
    ):
        scan(source(tmp_path, table_of("image,MEL,NV,patient_id", rows)))
    people = [(image, label, patient, str(i % 2), str(1 - i % 2)) for i, (image, label, patient) in enumerate(ROWS)]
    with pytest.raises(SourceError, match="no column is known as the label; .*--label-column 'diagnose'"):
        scan(source(tmp_path, table_of("image,diagnose,patient_id,male,female", people)))
    with pytest.raises(SourceError, match="nothing tells the patients apart; .*No column is left that could be the patient"):
        scan(source(tmp_path, table_of("image,MEL,NV", [row[:3] for row in rows])))


KEYS = ["img/photo_0.jpg", "img/Photo_1.JPG", unicodedata.normalize("NFD", "img/nævus_é.png"), "other/photo_2.jpeg"]


@pytest.mark.parametrize(
    ("named", "key"),
    [
        ("img/photo_0.jpg", KEYS[0]),
        ("img\\photo_0.jpg", KEYS[0]),
        ("./img/photo_0.jpg", KEYS[0]),
        ("/img/photo_0.jpg", KEYS[0]),
        ("img/photo_1.jpg", KEYS[1]),
        ("img/nævus_é.png", KEYS[2]),
        ("img/photo_0", KEYS[0]),
        ("photo_2.jpeg", KEYS[3]),
        ("C:\\Users\\me\\photo_2.jpeg", KEYS[3]),
        ("photo_2", KEYS[3]),
        ("img/photo_2.jpeg", None),  # another folder's
        ("other/img/photo_0.jpg", KEYS[0]),
        ("photo_3.jpg", None),
    ],
)
def test_an_image_is_found_as_people_and_systems_write_its_path(named, key):
    found, _ = keys_of(pd.Series([named], index=[2]), KEYS, "labels.csv")
    assert (None if pd.isna(found[2]) else found[2]) == key


def test_a_name_that_two_objects_answer_to_is_refused_and_so_is_one_that_climbs_out():
    with pytest.raises(SourceError, match="line 2: 'a.jpg' may be 'x/a.jpg' or 'y/a.jpg'"):
        keys_of(pd.Series(["a.jpg"], index=[2]), ["x/a.jpg", "y/a.jpg"], "labels.csv")
    with pytest.raises(SourceError, match="points outside"):
        keys_of(pd.Series(["..\\a.jpg"], index=[2]), ["a.jpg"], "labels.csv")


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


def test_a_preview_says_and_shows_what_would_be_pinned_and_writes_nothing_here(tmp_path, capsys, monkeypatch):
    uri = source(tmp_path / "in", table_of(rows=[(image, "<b>nevus" if label == "nevus" else label, p) for image, label, p in ROWS]))
    (tmp_path / "in" / "02.jpg").write_bytes(b"no photo")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    page = preview(uri, Options(min_class_count=1))
    said = capsys.readouterr().out
    assert "8 images (0 MB), 4 patients, 0 questions" in said
    assert "none given; dermlab splits by patient" in said
    shown = page.read_text()
    assert shown.count("<figure>") == 8
    assert shown.count("data:image/jpeg;base64,") == 7
    assert "Cannot be used: not an image" in shown
    assert "&lt;b&gt;nevus" in shown
    assert "02.jpg" not in shown
    assert list((tmp_path / "here").iterdir()) == []


def test_a_workbook_alone_and_a_class_named_drop_are_refused(tmp_path):
    uri = source(tmp_path, b"PK\x03\x04", name="labels.xlsx")
    with pytest.raises(SourceError, match="labels.xlsx is a workbook. Save its sheet of labels as CSV"):
        scan(uri)
    with pytest.raises(SourceError, match="line 2: a class cannot be named 'drop'"):
        scan(source(tmp_path, table_of(rows=[("00.jpg", "Drop", "P1"), *ROWS[1:]])))


def test_a_text_file_is_a_table_where_the_user_says_so(tmp_path):
    uri = source(tmp_path, table_of(delimiter="\t"), name="labels.txt")
    assert len(scan(uri, labels="labels.txt").manifest) == 8


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("enclosed", ["", "my photos/"])
@pytest.mark.parametrize("habit", ["csv", "excel", "classes", "splits"])
def test_each_habit_locks_in_one_command(tmp_path, habit, enclosed, zipped):
    people = {"no_patients": habit in ("classes", "splits")}
    names = {
        "classes": [f"{label}/{image}" for image, label, _ in ROWS],
        "splits": [f"{('train', 'val', 'test')[i % 3]}/{label}/{image}" for i, (image, label, _) in enumerate(ROWS)],
    }.get(habit, [f"photos/{image}" for image, _, _ in ROWS])
    folder = tmp_path / "in"
    source(folder, None, [enclosed + name for name in names])
    if habit == "csv":
        (folder / enclosed / "labels.csv").write_text(table_of())
    if habit == "excel":
        (folder / enclosed / "Mappe1.csv").write_bytes(
            table_of("Bild;Diagnosis;Patient".replace("Bild", "Image"), delimiter=";").encode("cp1252")
        )
    uri = f"folder:{folder}"
    if zipped:
        with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
            for path in sorted(folder.rglob("*")):
                archive.write(path, path.relative_to(folder))
        uri = f"folder:{tmp_path / 'in.zip'}"
    manifest = scan(uri, **people).manifest
    assert len(manifest) == 8
    assert manifest["diagnosis"].value_counts().to_dict() == {"nevus": 4, "eczema": 4}
    assert manifest["split"].notna().all() == (habit == "splits")
    assert manifest["patient_id"].nunique() == (0 if people["no_patients"] else 4)


def test_words_for_nothing_are_no_answers_and_an_endless_number_is_none(tmp_path):
    rows = [(*row, ("nan", "N/A", "3", "4")[i % 4], ("inf", "1")[i % 2]) for i, row in enumerate(ROWS)]
    listing = scan(source(tmp_path, table_of("image,label,patient_id,q_age,q_odd", rows)))
    age, odd = listing.questions
    assert (age.kind, age.low, age.high) == ("number", 3, 4)
    assert listing.manifest["q_age"].isna().sum() == 4
    assert (odd.kind, odd.choices) == ("choice", ("1", "inf"))


def asked(tmp_path, answers: list[str], delimiter: str = ","):
    """What is made of these answers."""
    files = [f"{i:02d}.jpg" for i in range(len(answers))]
    rows = [(name, ("nevus", "eczema")[i % 2], f"P{i}", answers[i]) for i, name in enumerate(files)]
    listing = scan(source(tmp_path, table_of("image,label,patient_id,q_age", rows, delimiter), files))
    return listing.questions[0], listing.manifest["q_age"]


AGES = [str(20 + i) for i in range(20)]


@pytest.mark.parametrize(
    ("odd", "value", "says"),
    [
        ("NA", None, "q_age: 1 answer is read as not given: 'NA'"),
        ("unknown", None, "q_age: 1 answer is read as not given: 'unknown'"),
        ("?", None, "q_age: 1 answer is read as not given: '?'"),
        ('"1,000"', 1000, "q_age: 1 answer is read as thousands, 1,000 as 1000 (line 5)"),
        ("1\u00a0000.5", 1000.5, "q_age: 1 answer is read as thousands"),
        ('"0,125"', 0.125, "q_age: 1 comma is read as a decimal point (line 5)"),
        ('"27,5"', 27.5, "q_age: 1 comma is read as a decimal point (line 5)"),
        ("27\u00a0", 27, ""),
        ("\u22125", -5, ""),
        ("\uff12\uff17", 27, ""),
    ],
)
def test_a_number_stays_one_whatever_one_answer_looks_like(tmp_path, capsys, odd, value, says):
    question, answers = asked(tmp_path, [*AGES[:3], odd, *AGES[4:]])
    assert question.kind == "number"
    assert (None if pd.isna(answers[3]) else answers[3]) == value
    assert says in capsys.readouterr().out


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize(
    ("answers", "values", "says"),
    [
        (["1.000,5", "20", "3,25", "1.234"], [1000.5, 20, 3.25, 1234], "2 answers are read as thousands, 1.000,5 as 1000.5 (lines 2, 5)"),
        (["27,5", "1.234"], [27.5, 1234], "1 answer is read as thousands, 1.234 as 1234 (line 3)"),
        (["1.234.567", "1.234"], [1234567, 1234], "2 answers are read as thousands"),
        (["1 234,5", "1'234", "-1.234"], [1234.5, 1234, -1234], "3 answers are read as thousands"),
        (["1,234", "27.5"], [1234, 27.5], "1 answer is read as thousands, 1,234 as 1234 (line 2)"),
        (["1,234.5", "1,234"], [1234.5, 1234], "2 answers are read as thousands, 1,234.5 as 1234.5 (lines 2, 3)"),
        (["1,234", "2"], [1.234, 2], "1 comma is read as a decimal point (line 2)"),
        (["27,5", "27.5"], [27.5, 27.5], "1 comma is read as a decimal point (line 2)"),
        (["1.234", "0.5"], [1.234, 0.5], ""),
        (["1e3", "27,5", "1.234"], [1000, 27.5, 1234], "1 answer is read as thousands, 1.234 as 1234 (line 4)"),
    ],
)
def test_what_a_comma_and_a_point_are_the_other_answers_tell(tmp_path, capsys, delimiter, answers, values, says):
    assert asked(tmp_path, [*answers, "3"], delimiter)[1].tolist() == [*values, 3]
    assert says in capsys.readouterr().out


@pytest.mark.parametrize("answers", [["27,5", "1.234", "27.5"], ["27,5", "1,234", "0.5"], ["1.234", "1,234", "5"]])
def test_numbers_whose_signs_may_be_either_are_refused_with_their_lines(tmp_path, answers):
    with pytest.raises(
        SourceError, match="lines? [23].*, column q_age: '1.234' may be thousands or have decimals.*Write all numbers as 1000.5"
    ):
        asked(tmp_path, answers, ";")


@pytest.mark.parametrize("form", ["2024-01-{:02d}", "{:02d}.01.2024", "1/{}/24", "2024-01-{:02d} 10:00", "202401{:02d}", "{} Mar 2024"])
def test_a_question_of_dates_or_of_as_many_answers_as_rows_is_told_to_be_useless(tmp_path, capsys, form):
    asked(tmp_path, [form.format(i + 1) for i in range(12)])
    useless = "it tells the network nothing, and a name without q_ leaves it out"
    assert f"q_age: 12 answers are dates (lines 2, 3, 4, 5, 6 and others): {useless}" in capsys.readouterr().out
    asked(tmp_path, [str(1000 + i) for i in range(40)])
    assert f"q_age: it has 40 different whole numbers in 40 answers: if they are ids, {useless}" in capsys.readouterr().out
    asked(tmp_path, [str(20 + i % 30) for i in range(40)])
    assert useless not in capsys.readouterr().out


@pytest.mark.parametrize("odd", [">80", "12 months", "forty", "inf"])
def test_an_answer_that_is_no_number_among_numbers_is_refused_with_its_line(tmp_path, odd):
    with pytest.raises(SourceError, match=f"line 5, column q_age: '{odd}' is no number, and 19 of 20 answers are"):
        asked(tmp_path, [*AGES[:3], odd, *AGES[4:]])


def test_a_choice_with_numbers_in_it_or_with_nearly_as_many_answers_as_rows_is_said(tmp_path, capsys):
    question, _ = asked(tmp_path, ["0", "1", "2", "3+"] * 3)
    assert question.choices == ("0", "1", "2", "3+")
    assert "q_age: 3 of 12 answers are no numbers (lines 5, 9, 13), so it is a choice" in capsys.readouterr().out
    assert asked(tmp_path, [f"{i} years" for i in range(12)])[0].kind == "choice"
    assert (
        "q_age: it has 12 different answers in 12: it tells the network nothing, and a name without q_ leaves it out"
        in capsys.readouterr().out
    )


def test_none_may_be_an_answer_and_several_answers_are_joined_each(tmp_path, capsys):
    assert asked(tmp_path, ["none", "mild", "none", "NA"])[0].choices == ("mild", "none")
    question, answers = asked(tmp_path, ["arm;Leg", "leg", "leg; arm", ";"])
    assert (question.kind, question.choices) == ("multi", ("arm", "leg"))
    assert answers.tolist() == [("arm", "leg"), ("leg",), ("arm", "leg"), ()]
    assert "q_age: 1 spelling is joined with a commoner one: 'Leg' as 'leg', 1 row" in capsys.readouterr().out


def test_a_question_without_a_name_is_refused_and_one_without_an_answer_is_left_out_and_said(tmp_path, capsys):
    rows = [(*row, "", ("NA", ";")[i % 2]) for i, row in enumerate(ROWS)]
    listing = scan(source(tmp_path, table_of("image,label,patient_id,q_age,q_sex", rows)))
    assert listing.questions == ()
    assert not any(name.startswith("q_") for name in listing.manifest)
    said = capsys.readouterr().out
    assert "q_age: no row has an answer, so the column is left out" in said
    assert "q_sex: no row has an answer, so the column is left out" in said
    with pytest.raises(SourceError, match="a column is named 'q_', and not what is asked"):
        scan(source(tmp_path, table_of("image,label,patient_id,q_,q_sex", rows)))


def test_without_a_table_no_column_is_asked_for(tmp_path):
    with pytest.raises(SourceError, match="nothing tells the patients apart. A split") as error:
        scan(source(tmp_path, None, [f"{label}/{image}" for image, label, _ in ROWS]))
    assert "--patient-column" not in str(error.value)


CLASSES = [f"{label}/{image}" for image, label, _ in ROWS]
DICOM, RAW = bytes(128) + b"DICM", b"II*\0" + bytes(200)


def scan_classes(where: Path):
    return scan(f"folder:{where}", no_patients=True)


def test_a_photo_is_known_by_its_content_and_what_is_passed_over_is_counted_by_kind(tmp_path, capsys):
    odd = [f"nevus/{name}" for name in ("a.jpe", "b.mpo", "c.jpg_large", "d.dcm", "e.NEF", "f", "g.2024", "h.jpg~")]
    source(tmp_path, None, CLASSES + odd)
    true = {"x.dcm": DICOM, "x.NEF": RAW, "more.zip": b"PK\x03\x04", "x.pdf": b"%PDF-1.7", "notes.txt": b"", "BMI": b"BMI 27", "none": b""}
    for name, data in true.items():
        (tmp_path / "nevus" / name).write_bytes(data)
    assert scan_classes(tmp_path).manifest["diagnosis"].value_counts().to_dict() == {"nevus": 12, "eczema": 4}
    said = capsys.readouterr().out
    assert "6 photos are known by their content: 1 .2024" not in said  # .jpe, .mpo and .jpg_large are names of photos
    assert "5 photos are known by their content: " in said
    assert "7 files are no photos that can be read and are passed over: " in said
    for part in (
        "DICOM: export as PNG, without the patient's data (1 .dcm)", "camera RAW: export as JPEG (1 .nef)", "an archive", "(1 .zip)",
        "a text or table (1 .txt)", "no photo (1 without an extension)", "empty (1 without an extension)",
    ):  # fmt: skip
        assert part in said


def test_a_table_may_name_photos_without_an_extension_and_is_told_what_is_no_photo(tmp_path, capsys):
    rows = [(image.removesuffix(".jpg"), *rest) for image, *rest in ROWS]
    uri = source(tmp_path, table_of(rows=rows), [row[0] for row in rows])
    assert len(scan(uri).manifest) == 8
    (tmp_path / "03").write_bytes(DICOM)
    with pytest.raises(SourceError, match="1 of 8 images are there and are no photos .first: line 5, '03' is DICOM: export as PNG"):
        scan(uri)
    assert len(scan(uri, skip_missing=True).manifest) == 7
    assert "1 row whose image is not there is left out (line 5); 1 of them names a file that is no photo" in capsys.readouterr().out


LITTER = [
    "nevus/@eaDir/00.jpg/SYNOPHOTO_THUMB_M.jpg", "#recycle/1.jpg", "$RECYCLE.BIN/S-1/2.jpg", ".Trashes/3.jpg", "nevus/Thumbs.db",
    "lost+found/4.jpg", "System Volume Information/5.jpg", ".AppleDouble/6.jpg", "eczema/.ipynb_checkpoints/7-checkpoint.jpg",
    "nevus/._8.jpg", "nevus/._11.jpg", "@Recycle/9.jpg", "~$labels.xlsx", "desktop.ini", "__MACOSX/nevus/._10.jpg",
]  # fmt: skip


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
def test_a_large_file_beside_the_photos_is_no_bomb(tmp_path, zipped, monkeypatch):
    source(tmp_path / "in", None, CLASSES)
    (tmp_path / "in" / "nevus" / "backup.zip").write_bytes(b"PK\x03\x04" + bytes(100_000))
    monkeypatch.setattr("dermlab.run.objects.keys.MAX_OBJECT_BYTES", 50_000)
    assert len(scan_classes(zip_of(tmp_path / "in") if zipped else tmp_path / "in").manifest) == 8


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
def test_what_systems_leave_is_no_photo_no_patient_and_no_class_and_is_named(tmp_path, zipped, capsys):
    source(tmp_path / "in", None, CLASSES + LITTER)
    where = zip_of(tmp_path / "in") if zipped else tmp_path / "in"
    assert scan_classes(where).manifest["diagnosis"].value_counts().to_dict() == {"nevus": 4, "eczema": 4}
    said = capsys.readouterr().out
    (passed_over,) = [line for line in said.splitlines() if "passed over, as systems leave it: " in line]
    folders, files = passed_over.split(": ")[1].split("; ")  # folders first: they may hold many photos
    assert folders.count(", ") == 9
    assert "1 @eaDir" in folders
    assert files == "2 ._*, 1 desktop.ini, 1 Thumbs.db, 1 ~$labels.xlsx"
    assert "no photos that can be read" not in said


def zip_of(folder: Path) -> Path:
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return folder.with_suffix(".zip")


def test_a_folder_that_may_not_be_read_is_refused_and_one_that_systems_leave_is_not_entered(tmp_path, monkeypatch):
    source(tmp_path, None, [*CLASSES, "lost+found/1.jpg"])
    forbid(monkeypatch, "lost+found")
    assert len(scan_classes(tmp_path).manifest) == 8
    forbid(monkeypatch, "nevus")
    with pytest.raises(SourceError, match="nevus cannot be listed .Permission denied"):
        scan_classes(tmp_path)
    forbid(monkeypatch, tmp_path.name)
    with pytest.raises(SourceError, match="cannot be listed .Permission denied"):
        scan_classes(tmp_path)


def forbid(monkeypatch, name: str) -> None:
    """As `chmod 000` does, from which root is exempt."""
    listed = Path.iterdir

    def iterdir(folder):
        if folder.name == name:
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)


def test_links_that_would_hide_photos_or_count_them_twice_are_refused(tmp_path):
    folder = tmp_path / "in"
    source(folder, None, CLASSES)
    source(tmp_path / "elsewhere", None)
    for link, target, says in (
        ("nevus/2024", tmp_path / "elsewhere", "nevus/2024 is a link to a folder, which is followed directly in"),
        ("nevus/loop", "..", "nevus/loop is a link to a folder"),
        ("loop", ".", "loop is a link to .* each photo would count twice"),
        ("up", "..", "up is a link to .* each photo would count twice"),
        ("again", "nevus", "again is a link to .* each photo would count twice"),
        ("nevus/gone.jpg", "nowhere.jpg", "gone.jpg leads nowhere .No such file"),
        ("nevus/self", "self", "self leads nowhere"),
    ):
        (folder / link).symlink_to(target)
        with pytest.raises(SourceError, match=says):
            scan_classes(folder)
        (folder / link).unlink()
    os.mkfifo(folder / "nevus" / "pipe.jpg")
    with pytest.raises(SourceError, match="pipe.jpg is no file but a pipe, socket or device"):
        scan_classes(folder)


def test_a_name_that_is_no_utf8_is_shown_with_the_command_that_renames(tmp_path):
    source(tmp_path, None, CLASSES)
    os.rename(tmp_path / "nevus", os.fsencode(tmp_path) + b"/n\xe9vus")
    with pytest.raises(
        SourceError, match="the name 'n\xe9vus/00.jpg' .read as Latin-1. is not UTF-8. Rename .*`convmv -f latin1 -t utf8 -r"
    ):
        scan_classes(tmp_path)
    with pytest.raises(SourceError, match="'folder:x/n\xe9vus' .read as Latin-1. is not UTF-8"):
        open_source("folder:x/n\udce9vus", Options())


def test_a_name_with_a_backslash_is_refused_as_that(tmp_path):
    source(tmp_path, None, [*CLASSES, "nevus/a\\b.jpg"])
    with pytest.raises(SourceError, match="holds a backslash, which other systems take for a folder"):
        scan_classes(tmp_path)


def zip_with(path: Path, *, name=lambda key: key, **fields) -> Path:
    """The classes in a zip whose directory says `fields` of every member."""
    with zipfile.ZipFile(path, "w") as archive:
        for i, key in enumerate(CLASSES):
            member = zipfile.ZipInfo(name(key))
            archive.writestr(member, jpeg(i))
        for member in archive.infolist():
            for field, value in fields.items():
                setattr(member, field, value)
    return path


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"flag_bits": 1}, "is encrypted"),
        ({"compress_type": 9}, "is packed by a method that cannot be unpacked here .deflate64"),
        ({"compress_type": 93}, "is packed by a method that cannot be unpacked here .zstd"),
        ({"compress_type": 77}, "is packed by a method that cannot be unpacked here .77"),
        ({"external_attr": (stat.S_IFLNK | 0o777) << 16}, "is a link, of which the zip has nothing but the path"),
    ],
)
def test_a_zip_that_cannot_be_read_is_refused_with_the_reason_and_how_to_repack(tmp_path, fields, why):
    with pytest.raises(SourceError, match=f"x.zip: 8 of 8 files cannot be used. The first, 'nevus/00.jpg', {why}.*Unpack it .*zip -r"):
        scan_classes(zip_with(tmp_path / "x.zip", **fields))


def test_a_zip_of_an_old_windows_tool_has_folders(tmp_path):
    manifest = scan_classes(zip_with(tmp_path / "x.zip", name=lambda key: key.replace("/", "\\"))).manifest
    assert sorted(manifest["key"]) == sorted(CLASSES)
    assert len(scan_classes(zip_with(tmp_path / "x.zip", name=lambda key: f"./{key}")).manifest) == 8


def renamed(path: Path, old: bytes, new: bytes) -> Path:
    """A zip with other bytes for a name, and without the flag that says UTF-8."""
    path.write_bytes(path.read_bytes().replace(old, new))
    return path


@pytest.mark.parametrize(
    ("raw", "read"),
    [("ekz\u00e9m".encode(), "ekz\u00e9m"), (b"ekz\x82m\x84", "ekz\u00e9m\u00e4"), ("ekz\u00e9m".encode("latin-1") + b"a", None)],
)
def test_names_in_a_zip_are_what_they_were_or_the_zip_is_refused(tmp_path, raw, read, capsys):
    where = renamed(zip_with(tmp_path / "x.zip"), b"eczema", raw)
    if read is None:
        with pytest.raises(SourceError, match="4 of 8 files cannot be used.*has a name in an encoding that the zip does not say"):
            scan_classes(where)
        return
    assert set(scan_classes(where).manifest["diagnosis"]) == {"nevus", read}
    assert ("4 names in the zip do not say their encoding and are read as cp437" in capsys.readouterr().out) == (raw[-1:] != b"m")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_two_files_of_one_name_or_with_bytes_lost_is_refused(tmp_path):
    where = zip_with(tmp_path / "x.zip")
    whole = where.read_bytes()
    with zipfile.ZipFile(where, "a") as archive:
        archive.writestr("nevus\\00.jpg", jpeg(9))
    with pytest.raises(SourceError, match="holds 1 file twice .first: 'nevus/00.jpg'"):
        scan_classes(where)
    for damaged in (whole[:-30], whole[: len(whole) // 2], whole[:100] + whole[400:], b""):
        where.write_bytes(damaged)
        with pytest.raises(SourceError, match="is not a readable zip|cannot be unpacked"):
            scan_classes(where)


def test_rows_without_an_image_are_named_and_left_out_only_if_asked(tmp_path, capsys):
    uri = source(tmp_path, table_of(rows=[*ROWS, ("", "nevus", "P9"), ("gone.jpg", "nevus", "P9"), ("", "eczema", "P9")]))
    with pytest.raises(SourceError, match="lines 10, 12, column image: is empty, in 2 rows. .*leave them out with --skip-missing"):
        scan(uri)
    assert len(scan(uri, skip_missing=True).manifest) == 8
    said = capsys.readouterr().out
    assert "2 rows without an image are left out (lines 10, 12)" in said
    assert "1 row whose image is not there is left out (line 11)" in said


@pytest.mark.parametrize("image", ["a{}.jpg", "photos/a{}", "C:\\Fotos\\a{}.JPG", "a{}"])
def test_the_column_whose_cells_name_photos_is_proposed_and_not_one_that_is_spelt_a_little_like_it(tmp_path, image):
    rows = [(str(30 + i // 2), image.format(i), label, patient) for i, (_, label, patient) in enumerate(ROWS)]
    uri = source(tmp_path, table_of("age,Datei,label,patient_id", rows), [f"photos/a{i}.jpg" for i in range(8)])
    with pytest.raises(SourceError, match="it has age, Datei, label, patient_id. Say which: --image-column 'Datei'."):
        scan(uri)
    rows = [(age, "x", *rest) for age, _, *rest in rows]
    with pytest.raises(SourceError, match="For the image say --image-column with one of these: age, Datei."):
        scan(source(tmp_path, table_of("age,Datei,label,patient_id", rows)))


def test_a_table_beside_that_tells_the_patients_is_named_with_its_columns(tmp_path):
    rows = [(image, *("01", "10")[i % 2]) for i, (image, *_) in enumerate(ROWS)]
    uri = source(tmp_path, table_of("image,MEL,NV", rows), name="GroundTruth.csv")
    (tmp_path / "metadata.csv").write_text(table_of("image,lesion_id,Patient ID", ROWS))
    (tmp_path / "notes.csv").write_text('image,text\n1,"open')
    with pytest.raises(
        SourceError, match="metadata.csv has Patient ID and lesion_id: join it into GroundTruth.csv by image first. Where each"
    ):
        scan(uri, labels="GroundTruth.csv")
    (tmp_path / "metadata.csv").unlink()
    with pytest.raises(SourceError, match=r"Other tables there \(notes.csv\) have no column of a usual name for a patient"):
        scan(uri, labels="GroundTruth.csv")


@pytest.mark.parametrize(
    ("column", "word"), [("lesion_id", "lesion"), ("Case", "case"), ("visit_number", "visit"), ("patient_id", None), ("subject", None)]
)
def test_a_patient_who_is_a_lesion_a_case_or_a_visit_is_told_as_that(tmp_path, capsys, column, word):
    scan(source(tmp_path, table_of(f"image,label,{column}")), patient_column=column)
    said = capsys.readouterr().out
    assert said.count("and not people: photos of one person may lie on both sides") == (word is not None)
    assert word is None or f"{column}, which tells {word}s apart" in said


@pytest.mark.parametrize("dry", [False, True])
def test_without_patients_the_dry_run_says_what_the_lock_says_and_counts_none(tmp_path, capsys, dry):
    uri, options = source(tmp_path / "in", None, CLASSES), Options(min_class_count=1, no_patients=True)
    preview(uri, options) if dry else lock(uri, options, tmp_path / "pin", tmp_path / "at")
    said = capsys.readouterr().out
    assert "patients are not known: photos of one person may lie on both sides of the split, and scores be too good" in said
    assert not dry or "8 images (0 MB), patients not known, 0 questions" in said
    assert " 8 patients" not in said
    assert "images  patients" not in said


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"patient_column": "label"},
            "column label is named as the label and the patient, .*--label-column, --patient-column.*--no-patients",
        ),
        ({"patient_column": "image"}, "column image is named as the image and the patient"),
        ({"patient_column": "q_center"}, "column q_center is named as the patient, and q_ makes a question of it"),
        ({"label_column": "q_center"}, "column q_center is named as the label, and q_ makes a question of it"),
        ({"split_column": "label"}, "column label is named as the label and the split.* .--label-column, --split-column.\\.$"),
    ],
)
def test_a_column_is_one_thing(tmp_path, given, says):
    rows = [(*row, "a") for row in ROWS]
    with pytest.raises(SourceError, match=says):
        scan(source(tmp_path, table_of("image,label,patient_id,q_center", rows)), **given)


@pytest.mark.parametrize(("people", "photos", "doubt"), [(9, 102, True), (10, 102, False), (9, 99, False)])
def test_few_patients_of_many_photos_are_a_doubt(tmp_path, capsys, people, photos, doubt):
    rows = [(f"{i}.jpg", ("nevus", "eczema")[i % 2], f"site {i % people}") for i in range(photos)]
    scan(source(tmp_path, table_of(rows=rows), [row[0] for row in rows]))
    said = capsys.readouterr().out
    assert ("patient_id has 9 different names for 102 photos: is it people whom it tells apart?" in said) == doubt
    assert "site" not in said


def test_patients_in_several_splits_are_refused_with_the_lines_of_one_and_no_name(tmp_path):
    rows = [(image, label, "Smith" if i in (2, 5) else f"P{i}", ("train", "test")[i > 4]) for i, (image, label, _) in enumerate(ROWS)]
    says = "lines 4 and 7: are of one patient, train and test. 1 patient has images in more than one split.*--ignore-splits"
    with pytest.raises(SourceError, match=says) as error:
        scan(source(tmp_path, table_of("image,label,patient_id,split", rows)))
    assert "Smith" not in str(error.value)


def test_documents_beside_a_table_are_no_archives(tmp_path, capsys):
    uri = source(tmp_path, table_of())
    for name in ("Brief.docx", "Plan.XLSX", "old.doc", "talk.pptx"):
        (tmp_path / name).write_bytes(b"\xd0\xcf\x11\xe0" if name.endswith(".doc") else b"PK\x03\x04")
    scan(uri)
    said = capsys.readouterr().out
    assert "4 files are no photos that can be read and are passed over: a document (1 .docx, 1 .xlsx, 1 .doc, 1 .pptx)" in said
    assert "archive" not in said


@pytest.mark.parametrize(
    ("files", "inside"),
    [
        (["{}/1.jpg", "{}/2.jpg"], "in/"),
        (["Fotos/{}/1.jpg", "Fotos/{}/2.jpg"], "Fotos/"),
        (["a/train/{}/1.jpg", "a/test/{}/2.jpg"], "a/test/, a/train/"),
    ],
)
@pytest.mark.parametrize("labels", [("nevus", "eczema"), ("2023", "2024")])
def test_where_folders_are_the_labels_it_is_said_and_numbers_are_a_doubt(tmp_path, capsys, files, inside, labels):
    scan_classes(Path(source(tmp_path / "in", None, [file.format(label) for label in labels for file in files]).removeprefix("folder:")))
    said = capsys.readouterr().out
    assert f"labels: the names of the folders in {inside}\n" in said
    assert ("all of these names are numbers" in said) == labels[0].isdecimal()


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


def test_one_is_told_as_one(tmp_path, capsys):
    rows = [(image.upper() if not i else image, *rest, "NA" if not i else "3") for i, (image, *rest) in enumerate(ROWS)]
    uri = source(tmp_path, table_of("image,label,patient_id,q_x", rows))
    for name in ("a.txt", "extra.jpg"):
        (tmp_path / name).write_bytes(jpeg(1))
    (tmp_path / "odd").write_bytes(jpeg(2))
    scan(uri)
    said = capsys.readouterr().out
    for line in (
        "1 photo is known by its content: 1 without an extension", "1 file is no photo that can be read and is passed over: a text",
        "1 image is found by a name in other case", "2 photos have no row and are left out (first: 'extra.jpg')",
        "q_x: 1 answer is read as not given: 'NA'",
    ):  # fmt: skip
        assert line in said
