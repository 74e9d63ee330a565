import hashlib
import json
import os
import pickle
import zipfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
import yaml
from defaults import DEFAULTS
from photos import folder_source, jpeg

from dermlab.catalog.build import build_catalog
from dermlab.catalog.params import Params as CatalogPart
from dermlab.data.pin import read_pin
from dermlab.lock.listing import Options
from dermlab.lock.lock import lock, opaque_id
from dermlab.lock.preview import preview
from dermlab.lock.sources import open_source
from dermlab.run.errors import ContractError, SourceError
from dermlab.run.location import read_location
from dermlab.run.objects.files import FolderFiles, ZipFiles
from dermlab.run.objects.keys import ObjectError
from dermlab.run.objects.opening import open_objects
from dermlab.run.objects.pseudonyms import Pseudonyms
from dermlab.run.params import read_params

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


def pseudonymised(tmp_path, monkeypatch, secret="a secret"):
    """The pin and files of a source whose folders are named after patients."""
    monkeypatch.setenv("DERMLAB_KEY", secret)
    names = [f"Smith John {i // 2}/{i:02d}.jpg" for i in range(40)]
    tmp_path.mkdir(exist_ok=True)
    uri = folder_source(tmp_path / "in", image=names, patient_id=[name.split("/")[0] for name in names])
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name[-6:]).rename(tmp_path / "in" / name)
    return locked(tmp_path, uri, replace(OPTIONS, pseudonymise=True)), lambda: locked(tmp_path, uri)


def test_under_pseudonyms_no_table_that_is_pushed_holds_a_path_and_the_photos_are_the_same(tmp_path, monkeypatch):
    pin, lock_openly = pseudonymised(tmp_path, monkeypatch)
    tables = pd.concat([pin.manifest, build_catalog(pin, read_params(CatalogPart, DEFAULTS).catalog).wanted]).astype(str)
    assert not tables.apply(lambda column: column.str.contains("Smith|jpg")).any(axis=None)
    assert (tmp_path / ".keys.json").read_text(encoding="utf-8").count("Smith John") == 40
    objects = open_objects(f"{tmp_path / 'in'}", keys=tmp_path / ".keys.json")
    read = dict(zip(pin.manifest["image_id"], read_elsewhere(objects, pin.manifest["key"].tolist()), strict=True))
    openly = lock_openly().manifest.set_index("image_id")["key"]
    assert read == {image_id: (tmp_path / "in" / key).read_bytes() for image_id, key in openly.items()}
    assert openly.str.contains("Smith").all()


def read_elsewhere(objects, keys: list[str]) -> list[bytes]:
    """As a process does that is sent some of the objects."""
    return [data for data, _ in pickle.loads(pickle.dumps(objects.some(keys))).read_many(keys)]


def test_without_the_file_of_pseudonyms_it_is_said_which_to_bring_and_an_error_names_the_pseudonym(tmp_path, monkeypatch):
    pin, _ = pseudonymised(tmp_path, monkeypatch)
    keys = pin.manifest["key"].tolist()
    with pytest.raises(SourceError, match="elsewhere.json does not say here which file each is. Bring that file"):
        open_objects(f"{tmp_path / 'in'}", keys=tmp_path / "elsewhere.json").some(keys)
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(SourceError, match="broken.json cannot be read"):
        open_objects(f"{tmp_path / 'in'}", keys=tmp_path / "broken.json").some(keys)
    objects = open_objects(f"{tmp_path / 'in'}", keys=tmp_path / ".keys.json")
    for photo in (tmp_path / "in").glob("*/*.jpg"):
        photo.unlink()
    with pytest.raises(ObjectError) as error:
        read_elsewhere(objects, keys)
    assert error.value.key == keys[0]
    assert "Smith" not in str(error.value)


def test_pseudonyms_of_two_sources_stand_beside_each_other_and_need_a_secret(tmp_path, monkeypatch):
    for number in (1, 2):
        pseudonymised(tmp_path / str(number), monkeypatch, f"secret {number}")
    first, second = (json.loads((tmp_path / name / ".keys.json").read_text()) for name in "12")
    Pseudonyms(tmp_path / "1" / ".keys.json").remember(second)
    assert json.loads((tmp_path / "1" / ".keys.json").read_text()) == first | second
    monkeypatch.delenv("DERMLAB_KEY")
    with pytest.raises(SourceError, match="--pseudonymise needs a secret: set DERMLAB_KEY"):
        locked(tmp_path, folder_source(tmp_path / "in"), replace(OPTIONS, pseudonymise=True, no_patients=True))


def answered(tmp_path, monkeypatch, **columns):
    """Under pseudonyms, the pin of a source whose patients are `Smith John 0` and so on, with these columns besides."""
    monkeypatch.setenv("DERMLAB_KEY", "a secret")
    people = [f"Smith John {i // 2}" for i in range(40)]
    uri = folder_source(tmp_path / "in", patient_id=people, case_id=[f"C-77{i}" for i in range(40)], **columns)
    return locked(tmp_path, uri, replace(OPTIONS, pseudonymise=True))


@pytest.mark.parametrize(
    ("answer", "row"),
    [
        ("05.jpg, seen by dr a", 4),
        ("smith  john 3", 4),
        ("seen with SMITH-JOHN 3 today", 4),
        ("case C\u2013772, left arm", 4),
        ("see 7739", 4),
        ("see john, 77", None),  # a word of many patients, and one that is too short to name anybody
        ("arm", None),
    ],
)
def test_an_answer_that_holds_what_a_pseudonym_hides_is_refused_with_its_line(tmp_path, monkeypatch, capsys, answer, row):
    answers = ["leg", "arm", *["leg"] * 2, answer, *["arm"] * 35]
    if row is None:
        answered(tmp_path, monkeypatch, q_note=answers)
        assert "answers are not pseudonymised, and pushed as they are: q_age, q_parts, q_sex, q_note" in capsys.readouterr().out
        return
    with pytest.raises(SourceError, match=f"line {row + 2}, column q_note: 1 answers hold a path, or the id of a patient or case") as error:
        answered(tmp_path, monkeypatch, q_note=answers)
    assert "john" not in str(error.value).lower()
    assert not (tmp_path / ".keys.json").exists()


@pytest.mark.parametrize("answer", ["{0:02d}.jpg", "arm; {0:02d}.jpg", "{1}"])
def test_a_column_that_repeats_the_path_or_the_patient_is_refused_whatever_its_kind(tmp_path, monkeypatch, answer):
    monkeypatch.setenv("DERMLAB_KEY", "a secret")
    ids = [str(i + 50) for i in range(40)]
    uri = folder_source(tmp_path / "in", patient_id=ids, q_file=[answer.format(i, i + 50) for i in range(40)])
    with pytest.raises(SourceError, match="lines 2, 3.*column q_file: 40 answers hold a path"):
        locked(tmp_path, uri, replace(OPTIONS, pseudonymise=True))


def test_a_short_id_is_known_by_its_letter_and_digit(tmp_path, monkeypatch):
    monkeypatch.setenv("DERMLAB_KEY", "a secret")
    uri = folder_source(tmp_path / "in", patient_id=[f"P{i}" for i in range(40)], q_note=["arm"] * 39 + ["twin of p3"])
    with pytest.raises(SourceError, match="line 41, column q_note: 1 answers hold a path"):
        locked(tmp_path, uri, replace(OPTIONS, pseudonymise=True))


def test_numbers_and_words_that_many_patients_share_are_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("DERMLAB_KEY", "a secret")
    uri = folder_source(
        tmp_path / "in", patient_id=[str(2000 + i // 2) for i in range(40)], q_year=[str(2000 + i % 7) for i in range(40)],
        q_suspected=["melanoma", "john"] * 20,
    )  # fmt: skip
    assert len(locked(tmp_path, uri, replace(OPTIONS, pseudonymise=True)).manifest) == 40


@pytest.mark.parametrize("key", ["", "   ", "         ", "short", " 1234567 "])
def test_a_key_that_can_be_tried_out_is_no_secret(tmp_path, monkeypatch, key):
    monkeypatch.setenv("DERMLAB_KEY", key)
    with pytest.raises(SourceError, match="set DERMLAB_KEY, 8 characters or more"):
        locked(tmp_path, folder_source(tmp_path / "in"), replace(OPTIONS, pseudonymise=True))


def test_only_its_owner_may_read_what_pseudonyms_stand_for(tmp_path, monkeypatch):
    for _ in range(2):  # made, and written again
        pseudonymised(tmp_path, monkeypatch)
        assert (tmp_path / ".keys.json").stat().st_mode & 0o777 == 0o600
        (tmp_path / ".keys.json").chmod(0o644)


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
