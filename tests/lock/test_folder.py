"""A table beside photos: which column is which, and which photo a row names."""

import unicodedata
import zipfile

import pandas as pd
import pytest
from photos import jpeg
from sources import CLASSES, ROWS, scan, source, table_of

from dermlab.lock.keys import keys_of
from dermlab.lock.listing import Options
from dermlab.lock.lock import lock
from dermlab.lock.preview import preview
from dermlab.run.errors import SourceError


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


def test_of_two_tables_one_must_be_chosen(tmp_path):
    uri = source(tmp_path, table_of())
    (tmp_path / "old.csv").write_text(table_of())
    with pytest.raises(SourceError, match="holds 2 tables: labels.csv, old.csv. Say which names the labels: --labels labels.csv"):
        scan(uri)
    assert len(scan(uri, labels="old.csv").manifest) == 8


def test_rows_whose_image_is_missing_are_counted_and_left_out_only_if_asked(tmp_path, capsys):
    uri = source(tmp_path, table_of(rows=[*ROWS, ("gone.jpg", "nevus", "P9")]))
    with pytest.raises(SourceError, match="1 of 9 images is not there .first: line 10, 'gone.jpg'.*--skip-missing"):
        scan(uri)
    assert len(scan(uri, skip_missing=True).manifest) == 8
    assert "1 row whose image is not there is left out (line 10)" in capsys.readouterr().out


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


def test_a_workbook_alone_is_refused(tmp_path):
    uri = source(tmp_path, b"PK\x03\x04", name="labels.xlsx")
    with pytest.raises(SourceError, match="labels.xlsx is a workbook. Save its sheet of labels as CSV"):
        scan(uri)


@pytest.mark.parametrize("name", ["Drop", "cannot tell", "Cannot  Tell", "dry > eczema", "dry >", "> dry"])
def test_a_class_that_answers_could_not_name_is_refused_with_its_line(tmp_path, name):
    with pytest.raises(SourceError, match=f"line 2: a class cannot be named '{name}'.*Rename the class"):
        scan(source(tmp_path, table_of(rows=[("00.jpg", name, "P1"), *ROWS[1:]])))


def test_a_class_may_hold_what_only_looks_like_it(tmp_path):
    rows = [("00.jpg", "age >50", "P1"), *ROWS[1:]]
    assert "age >50" in scan(source(tmp_path, table_of(rows=rows))).manifest["diagnosis"].tolist()


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


def test_without_a_table_no_column_is_asked_for(tmp_path):
    with pytest.raises(SourceError, match="nothing tells the patients apart. A split") as error:
        scan(source(tmp_path, None, [f"{label}/{image}" for image, label, _ in ROWS]))
    assert "--patient-column" not in str(error.value)


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
