"""What lies in a folder or zip: photos by their content, what is passed over, and what cannot be read."""

import os
import stat
import zipfile
from pathlib import Path

import pytest
from photos import jpeg
from sources import CLASSES, ROWS, scan, scan_classes, source, table_of

from dermlab.lock.listing import Options
from dermlab.lock.sources import open_source
from dermlab.run.errors import SourceError


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


DICOM, RAW = bytes(128) + b"DICM", b"II*\0" + bytes(200)


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


def test_documents_beside_a_table_are_no_archives(tmp_path, capsys):
    uri = source(tmp_path, table_of())
    for name in ("Brief.docx", "Plan.XLSX", "old.doc", "talk.pptx"):
        (tmp_path / name).write_bytes(b"\xd0\xcf\x11\xe0" if name.endswith(".doc") else b"PK\x03\x04")
    scan(uri)
    said = capsys.readouterr().out
    assert "4 files are no photos that can be read and are passed over: a document (1 .docx, 1 .xlsx, 1 .doc, 1 .pptx)" in said
    assert "archive" not in said
