"""Folders that are classes or splits, and splits that a column tells."""

import zipfile
from pathlib import Path

import pytest
from photos import jpeg
from sources import CLASSES, ROWS, scan, scan_classes, source, table_of

from dermlab.lock.listing import Options
from dermlab.lock.lock import lock
from dermlab.lock.preview import preview
from dermlab.run.errors import SourceError


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


def test_patients_in_several_splits_are_refused_with_the_lines_of_one_and_no_name(tmp_path):
    rows = [(image, label, "Smith" if i in (2, 5) else f"P{i}", ("train", "test")[i > 4]) for i, (image, label, _) in enumerate(ROWS)]
    says = "lines 4 and 7: are of one patient, train and test. 1 patient has images in more than one split.*--ignore-splits"
    with pytest.raises(SourceError, match=says) as error:
        scan(source(tmp_path, table_of("image,label,patient_id,split", rows)))
    assert "Smith" not in str(error.value)


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
