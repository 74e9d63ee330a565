import hashlib
import json
import os
import zipfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from photos import folder_source, jpeg

from dermlab.data.pin import read_pin
from dermlab.lock.listing import Options
from dermlab.lock.lock import lock, opaque_id
from dermlab.lock.preview import preview
from dermlab.lock.sources import open_source
from dermlab.run.errors import ContractError, SourceError
from dermlab.run.location import read_location
from dermlab.run.objects.files import FolderFiles, ZipFiles

ROOT = Path(__file__).parents[2]
OPTIONS = Options(min_class_count=2)


def locked(tmp_path, uri, options=OPTIONS):
    return lock(uri, options, tmp_path / "source", tmp_path / ".location")


def test_a_folder_is_pinned_with_its_questions_under_ids_that_do_not_show_its_paths(tmp_path):
    pin = locked(tmp_path, folder_source(tmp_path / "in"))
    assert [(q.name, q.kind) for q in pin.questions] == [("age", "number"), ("parts", "multi"), ("sex", "choice")]
    assert pin.classes.targets == ("nevus", "melanoma")
    by_key = pin.manifest.set_index("key")["image_id"]
    assert by_key["07.jpg"] == opaque_id("07.jpg") != "07.jpg"
    assert not pin.manifest["image_id"].str.contains("jpg").any()
    assert pin.truth.empty


def test_a_key_of_the_environment_gives_other_ids(monkeypatch):
    plain = opaque_id("patients/Smith/1.jpg")
    monkeypatch.setenv("DERMLAB_KEY", "a secret")
    assert opaque_id("patients/Smith/1.jpg") != plain


def test_the_same_photos_under_another_path_give_the_same_pin(tmp_path):
    first = locked(tmp_path, folder_source(tmp_path / "in"))
    (tmp_path / "in").rename(tmp_path / "moved")
    again = locked(tmp_path, f"folder:{tmp_path / 'moved'}")
    assert again.digest == first.digest
    assert read_location(tmp_path / ".location") == (str(tmp_path / "moved"), None)
    assert not any(str(tmp_path).encode() in path.read_bytes() for path in (tmp_path / "source").iterdir())


def test_where_the_objects_lie_may_be_said_by_the_environment_and_must_be_said_by_somebody(tmp_path, monkeypatch):
    with pytest.raises(SourceError, match="Set DERMLAB_SOURCE"):
        read_location(tmp_path / ".location")
    monkeypatch.setenv("DERMLAB_SOURCE", "/mnt/photos")
    assert read_location(tmp_path / ".location")[0] == "/mnt/photos"


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"image": ["00.jpg"] * 40}, "lines 2 and 3: name '00.jpg' in two rows"),
        (
            {"split": ["train", "test", "train", "val"] * 10},
            "lines 2 and 3: are of one patient, train and test. 20 patients have images in more than one split",
        ),
        ({"patient_id": [None] * 40}, "lines 2, 3, 4, 5, 6 and others, column patient_id: is empty, in 40 rows"),
        ({"label": ["nevus"] * 40}, "Fewer than two diagnoses"),
        ({"image": ["../x.jpg"] + [f"{i:02d}.jpg" for i in range(1, 40)]}, "points outside"),
    ],
)
def test_bad_tables_are_refused_and_leave_no_pin(tmp_path, columns, says):
    with pytest.raises(SourceError, match=says):
        locked(tmp_path, folder_source(tmp_path / "in", **columns))
    assert not (tmp_path / "source").exists()


def test_a_missing_column_is_named_with_those_there_are(tmp_path):
    uri = folder_source(tmp_path / "in")
    with pytest.raises(SourceError, match=r"column diagnosis is missing; it has image, label"):
        locked(tmp_path, uri, Options(label_column="diagnosis"))


def test_a_pin_that_was_altered_or_never_made_is_refused(tmp_path):
    with pytest.raises(SourceError, match="nothing is pinned yet"):
        read_pin(tmp_path / "source")
    locked(tmp_path, folder_source(tmp_path / "in"))
    (tmp_path / "source" / "classes.json").write_text('{"targets": ["a", "b"]}')
    with pytest.raises(ContractError, match="altered since it was locked"):
        read_pin(tmp_path / "source")


def test_the_phantom_is_pinned_with_its_truth(tmp_path):
    pin = locked(tmp_path, "phantom", Options(images=300, seed=3))
    assert len(pin.manifest) == len(pin.truth) == 300
    assert set(pin.truth["duplicate_of"].dropna()) <= set(pin.manifest["image_id"])
    assert read_location(tmp_path / ".location")[0] == "phantom:300:3"


LIBRARIES = ("numpy", "pandas", "pyarrow")  # what draws the numbers, and what writes its version into a table
PINNED = yaml.safe_load((ROOT / "versions.yaml").read_text())


@pytest.mark.skipif(any(version(name) != PINNED[name] for name in LIBRARIES), reason="other libraries write other bytes")
def test_the_pin_that_is_committed_is_the_one_that_lock_makes(tmp_path):
    """Or the tree would be dirty after a newcomer's first command. The digest is DVC's of a folder."""
    locked(tmp_path, "phantom", Options())
    files = sorted((tmp_path / "source").iterdir())
    tree = [{"md5": hashlib.md5(file.read_bytes()).hexdigest(), "relpath": file.name} for file in files]
    digest = hashlib.md5(json.dumps(tree, sort_keys=True).encode()).hexdigest()
    (committed,) = yaml.safe_load((ROOT / "data" / "source.dvc").read_text())["outs"]
    assert committed["md5"] == f"{digest}.dir", "`dermlab lock phantom` writes it"
    assert (committed["size"], committed["nfiles"]) == (sum(file.stat().st_size for file in files), len(files))


def test_an_unknown_source_lists_the_valid_ones():
    with pytest.raises(SourceError, match="Valid: phantom, folder:PATH, s3://BUCKET/PREFIX, ham10000:PATH, scin:PATH"):
        open_source("s4://bucket", OPTIONS)
    with pytest.raises(SourceError, match="nor a folder or zip that is here"):
        open_source("x" * 300, OPTIONS)
    with pytest.raises(SourceError, match="does not exist, or may not be reached"):
        open_source("folder:" + "x" * 300, OPTIONS)


def test_a_path_alone_is_read_as_what_lies_there(tmp_path):
    uri = folder_source(tmp_path / "in")
    bare = uri.removeprefix("folder:")
    assert open_source(bare, OPTIONS).scan().manifest.equals(open_source(uri, OPTIONS).scan().manifest)
    for names, kind in ((["deep/HAM10000_metadata.csv"], "ham10000"), (["scin_cases.csv", "scin_labels.csv"], "scin")):
        with zipfile.ZipFile(tmp_path / f"{kind}.zip", "w") as archive:
            for name in names:
                archive.writestr(name, "")
        assert type(open_source(str(tmp_path / f"{kind}.zip"), OPTIONS)).__name__.lower() == kind


def test_ham10000_groups_by_lesion_and_keeps_how_the_diagnosis_was_made(tmp_path):
    with zipfile.ZipFile(tmp_path / "ham.zip", "w") as archive:
        rows = [f"L{i // 2},I{i},{'nv' if i % 3 else 'mel'},histo,{40 + i}.0,{'male' if i % 2 else 'unknown'},back" for i in range(12)]
        archive.writestr("HAM10000_metadata.csv", "\n".join(["lesion_id,image_id,dx,dx_type,age,sex,localization", *rows]))
        for i in range(12):
            archive.writestr(f"HAM10000_images_part_{i % 2 + 1}/I{i}.jpg", jpeg(i))
    listing = open_source(f"ham10000:{tmp_path / 'ham.zip'}", OPTIONS).scan()
    assert listing.classes.targets == ("nv", "mel")
    assert listing.manifest["patient_id"].tolist()[:3] == ["L0", "L0", "L1"]
    assert set(listing.manifest["note_dx_type"]) == {"histo"}
    assert listing.manifest["q_sex"].isna().tolist()[:2] == [True, False]
    assert [q.name for q in listing.questions] == ["age", "sex", "localization"]


def test_scin_takes_the_heaviest_label_and_keeps_the_weights(tmp_path):
    (tmp_path / "images").mkdir()
    cases, labels = [], []
    for i in range(6):
        (tmp_path / "images" / f"{i}.png").write_bytes(jpeg(i))
        second = f"dataset/images/{i}b.png" if i == 0 else ""
        cases.append(f"c{i},AGE_18_TO_29,FEMALE,RASH,ONE_DAY,YES,,YES,,dataset/images/{i}.png,{second},")
        name = "Eczema" if i % 2 else "Tinea"
        labels.append(f"\"c{i}\",\"{{'{name}': 0.7, 'Urticaria': 0.3}}\"")
    (tmp_path / "images" / "0b.png").write_bytes(jpeg(100))
    header = (
        "case_id,age_group,sex_at_birth,related_category,condition_duration,textures_flat,body_parts_arm,"
        "condition_symptoms_itching,other_symptoms_fever,image_1_path,image_2_path,image_3_path"
    )
    (tmp_path / "scin_cases.csv").write_text("\n".join([header, *cases]))
    (tmp_path / "scin_labels.csv").write_text("\n".join(["case_id,weighted_skin_condition_label", *labels]))
    listing = open_source(f"scin:{tmp_path}", OPTIONS).scan()
    of_case = listing.manifest.set_index(listing.manifest["key"].str.removeprefix("images/").str.removesuffix(".png"))
    assert of_case.loc["0b", "case_id"] == of_case.loc["0", "case_id"] == "c0"
    assert of_case.loc["0", "diagnosis"] == "Tinea"
    assert of_case.loc["1", "diagnoses"] == (("Eczema", 0.7), ("Urticaria", 0.3))
    assert of_case["votes"].isna().all()  # this table does not say how many graded
    assert of_case.loc["0", "q_textures"] == ("flat",)
    assert of_case.loc["0", "q_body_parts"] is None


@pytest.mark.parametrize("key", ["../secret.jpg", "/etc/passwd", "a/../../b.jpg", "C:/x.jpg", "a\\..\\b.jpg"])
def test_a_key_that_climbs_out_of_the_folder_is_refused(tmp_path, key):
    with pytest.raises(SourceError, match="points outside the source's folder"):
        FolderFiles(tmp_path).read(key)


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_text("x")
    os.symlink(tmp_path / "secret", tmp_path / "in" / "a.jpg")
    with pytest.raises(SourceError, match="leads out of"):
        FolderFiles(tmp_path / "in").read("a.jpg")


def test_a_zip_bomb_is_refused_by_the_size_it_states(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.jpg", "w") as member:
        for _ in range(300):
            member.write(bytes(1_000_000))
    with pytest.raises(SourceError, match="Refused as a bomb"):
        ZipFiles(tmp_path / "bomb.zip").read("a.jpg")


def test_a_file_that_is_no_zip_is_named(tmp_path):
    (tmp_path / "x.zip").write_text("no")
    with pytest.raises(SourceError, match=r"x.zip is not a readable zip"):
        open_source(f"ham10000:{tmp_path / 'x.zip'}", OPTIONS)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("photo.jpg", jpeg(1), "is a photo. Give the folder that holds it"),
        ("photos.tar.gz", b"\x1f\x8b\x08", "is an archive, but no zip. Unpack it"),
        ("photos.tar", b"a.jpg".ljust(257, b"\0") + b"ustar", "is an archive, but no zip. Unpack it"),
        ("photos.zip", b"\n<!DOCTYPE html>", "is a page and no archive"),
        ("labels.csv", b"image,label", "is a table. Give the folder that holds it and the photos"),
        ("photos.zip", b"", "is not a readable zip .it is empty"),
    ],
)
@pytest.mark.parametrize("kind", ["folder:", ""])
def test_a_file_that_is_something_else_is_told_as_what_it_is(tmp_path, kind, name, data, says):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=f"{name} {says}"):
        open_source(f"{kind}{tmp_path / name}", OPTIONS)


def test_a_device_or_a_pipe_is_no_source(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/null", tmp_path / "pipe"):
        with pytest.raises(SourceError, match="is no file but a pipe, socket or device"):
            open_source(f"folder:{path}", OPTIONS)


def test_a_class_that_stands_in_the_test_split_alone_is_said(tmp_path, capsys):
    labels = ["nevus" if i < 30 else "eczema" if i < 35 else "melanoma" for i in range(40)]
    splits = ["train"] * 20 + ["test"] * 12 + ["train"] * 2 + ["test"] * 6
    locked(tmp_path, folder_source(tmp_path / "in", label=labels, split=splits))
    assert "no photo of split train is of these classes, so no model can learn them: melanoma\n" in capsys.readouterr().out


def test_weights_of_scin_that_are_none_are_an_error_in_words(tmp_path):
    (tmp_path / "scin_cases.csv").write_text(
        "case_id,age_group,sex_at_birth,related_category,condition_duration,image_1_path,image_2_path,image_3_path\nc1,,,,,,,\n"
    )
    (tmp_path / "scin_labels.csv").write_text('case_id,weighted_skin_condition_label\nc1,"__import__(1)"\n')
    with pytest.raises(SourceError, match="is no weights"):
        open_source(f"scin:{tmp_path}", OPTIONS).scan()


def test_diagnoses_that_join_other_are_named_commonest_first_by_every_source(tmp_path, capsys):
    labels = ["nevus"] * 14 + ["melanoma"] * 12 + ["eczema"] * 2 + [f"rare {i:02d}" for i in range(12)]
    uri = folder_source(tmp_path / "in", label=labels)
    for dry in (False, True):
        (preview if dry else lambda *given: locked(tmp_path, *given))(uri, replace(OPTIONS, min_class_count=3))
        named = ", ".join(["eczema 2", *(f"rare {i:02d} 1" for i in range(8))])
        assert (
            f"joins `other`, with fewer than 3 images (--min-class-count): {named} and 4 others with 4 images\n" in capsys.readouterr().out
        )
    (tmp_path / "ham").mkdir()
    header = "lesion_id,image_id,dx,dx_type,age,sex,localization"
    rows = [f"L{i},I{i},{('nv', 'mel')[i % 2] if i else 'df'},histo,40,male,back" for i in range(9)]
    (tmp_path / "ham" / "HAM10000_metadata.csv").write_text("\n".join([header, *rows]))
    for i in range(9):
        (tmp_path / "ham" / f"I{i}.jpg").write_bytes(jpeg(i))
    assert open_source(f"ham10000:{tmp_path / 'ham'}", OPTIONS).scan().classes.targets == ("mel", "nv")
    assert "joins `other`, with fewer than 2 images (--min-class-count): df 1\n" in capsys.readouterr().out


def test_scin_knows_how_many_graded_and_a_photo_that_two_cases_name_is_one_persons(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    for i in range(5):
        (tmp_path / "images" / f"{i}.png").write_bytes(jpeg(i))
    graded = "DEFAULT_YES_IMAGE_QUALITY_SUFFICIENT"
    header = "case_id,age_group,sex_at_birth,related_category,condition_duration,image_1_path,image_2_path,image_3_path"
    cases = [f"c{i},,,,,d/{i}.png,{'d/0.png' if i == 4 else ''}," for i in range(5)]
    name = "dermatologist_gradable_for_skin_condition_"
    labels = [f"c{i},\"{{'{('Eczema', 'Tinea')[i % 2]}': 1.0}}\",{graded},{graded if i else ''},{graded if i else 'NO'}" for i in range(5)]
    (tmp_path / "scin_cases.csv").write_text("\n".join([header, *cases]))
    (tmp_path / "scin_labels.csv").write_text("\n".join([f"case_id,weighted_skin_condition_label,{name}1,{name}2,{name}3", *labels]))
    manifest = open_source(f"scin:{tmp_path}", OPTIONS).scan().manifest.set_index("case_id")
    assert manifest["votes"].tolist() == [1, 3, 3, 3, 3]
    assert manifest["patient_id"].tolist() == ["c0", "c1", "c2", "c3", "c0"]
    assert "1 photo is named again, mostly by another case: each stays with the case that names it first" in capsys.readouterr().out


def test_raters_of_the_phantom_disagree_about_two_cases_in_ten_over_the_same_photos(tmp_path):
    one, three = (lock("phantom", Options(images=600, raters=raters), tmp_path / str(raters), tmp_path / "location") for raters in (1, 3))
    same = ["image_id", "patient_id", "case_id", "key", "etag"]
    assert one.manifest[same].equals(three.manifest[same])
    assert "diagnoses" not in one.manifest
    rows = three.manifest
    assert 0.1 < rows.drop_duplicates("case_id")["diagnoses"].notna().mean() < 0.3
    assert (rows.groupby("case_id")["diagnosis"].nunique() == 1).all()
    assert all(shares[0][0] == label for shares, label in zip(rows["diagnoses"], rows["diagnosis"], strict=True) if shares)
    assert all([name for name, _ in said] == ["1", "2", "3"] for said in rows["raters"])
    wrong = rows["diagnosis"].map(three.classes.label_of).to_numpy() != three.truth["true_label"].to_numpy()
    labelled = three.truth["kind"].isin(["clean", "hard", "mislabeled"]).to_numpy()
    assert (wrong[labelled] == (three.truth["kind"] == "mislabeled").to_numpy()[labelled]).all()
    assert 0.02 < wrong[labelled].mean() < 0.1
