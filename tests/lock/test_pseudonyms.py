"""What a source that is locked under pseudonyms shows, and what it refuses."""

import json
import pickle
from dataclasses import replace

import pandas as pd
import pytest
from defaults import DEFAULTS
from photos import folder_source

from dermlab.catalog.build import build_catalog
from dermlab.catalog.params import Params as CatalogPart
from dermlab.lock.listing import Options
from dermlab.lock.lock import lock
from dermlab.run.errors import SourceError
from dermlab.run.objects.keys import ObjectError
from dermlab.run.objects.opening import open_objects
from dermlab.run.objects.pseudonyms import Pseudonyms
from dermlab.run.params import read_params

OPTIONS = Options(min_class_count=2)


def locked(tmp_path, uri, options=OPTIONS):
    return lock(uri, options, tmp_path / "source", tmp_path / ".location")


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
