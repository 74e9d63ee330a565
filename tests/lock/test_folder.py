"""Folders, zips and tables as people have them."""

import unicodedata
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from photos import jpeg

from dermlab.lock.keys import keys_of
from dermlab.lock.listing import Options
from dermlab.lock.lock import lock
from dermlab.lock.people import joined_labels, joined_patients
from dermlab.lock.preview import preview
from dermlab.lock.sources import open_source
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
    assert "columns passed over: remark" in said
    assert "1 photos have no row and are left out" in said


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("picture_of,label,patient_id", "no column is known as the image; .*--image-column 'picture_of'"),
        ("image,diagnoses,patient_id", "no column is known as the label; .*--label-column 'diagnoses'"),
        ("image,label,who", "nothing tells the patients apart; .*--patient-column .*--no-patients"),
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


def test_splits_without_one_of_the_three_are_refused_or_ignored_as_asked(tmp_path):
    files = [f"{split}/{label}/{i}.jpg" for split in ("train", "test") for i, (_, label, _) in enumerate(ROWS)]
    uri = source(tmp_path, None, files)
    with pytest.raises(SourceError, match="has no rows of split val.*--ignore-splits"):
        scan(uri, no_patients=True)
    assert scan(uri, no_patients=True, ignore_splits=True).manifest["split"].isna().all()


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
    with pytest.raises(SourceError, match="1 of 9 images are not there .first: line 10, 'gone.jpg'.*--skip-missing"):
        scan(uri)
    assert len(scan(uri, skip_missing=True).manifest) == 8
    assert "1 rows whose image is not there are left out" in capsys.readouterr().out


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
    joined, said = joined_patients(pd.Series(["P1", "p1", "P1 ", "é", "e\u0301", "7", "7.0", "P  2", "p 2"]), "labels.csv")
    assert joined.nunique() == 4
    assert joined[0] == joined[1] == joined[2] == "P1"
    assert said == ["5 other spellings of a patient (blanks, case, accents, `.0`) are joined with the first"]


def test_patients_that_differ_in_leading_zeros_are_a_doubt_and_the_error_names_lines_only():
    with pytest.raises(SourceError, match="labels.csv, lines 3 and 4: two patients differ in leading zeros") as error:
        joined_patients(pd.Series(["1", "0099", "99"], index=[2, 3, 4]), "labels.csv")
    assert "99" not in str(error.value)


def test_a_class_is_spelt_as_most_rows_spell_it():
    labels, said = joined_labels(pd.Series(["Eczema", "eczema", "Eczema", "NA", "seborrheic  keratosis", "Seborrheic keratosis"]))
    assert labels.tolist() == ["Eczema", "Eczema", "Eczema", "NA", "Seborrheic keratosis", "Seborrheic keratosis"]
    assert said == ["labels joined with another spelling: 'eczema', 'seborrheic  keratosis'"]


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


def test_without_a_table_no_column_is_asked_for(tmp_path):
    with pytest.raises(SourceError, match="nothing tells the patients apart. A split") as error:
        scan(source(tmp_path, None, [f"{label}/{image}" for image, label, _ in ROWS]))
    assert "--patient-column" not in str(error.value)
