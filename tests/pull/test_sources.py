import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dermlab.data.errors import ContractError, ParamsError, SourceError
from dermlab.data.params import read_params
from dermlab.data.shards import Shards
from dermlab.data.tables import CATALOG, write_table
from dermlab.pull.files import FolderFiles, ZipFiles
from dermlab.pull.images import BrokenImageError, develop
from dermlab.pull.lock import lock, read_pin
from dermlab.pull.pack import pack
from dermlab.pull.sources import open_source
from dermlab.pull.splits import assign_splits

PARAMS = read_params(__import__("pathlib").Path(__file__).parents[2] / "params.yaml").pull.model_copy(update={"min_class_count": 2})


def jpeg(seed: int, size=(48, 36), **save) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", **save)
    return out.getvalue()


def folder_source(root, rows: int = 40, **columns):
    root.mkdir(exist_ok=True)
    names = [f"{i:02d}.jpg" for i in range(rows)]
    for i, name in enumerate(names):
        (root / name).write_bytes(jpeg(i))
    table = {
        "image": names,
        "label": ["nevus" if i % 4 else "melanoma" for i in range(rows)],
        "patient_id": [f"p{i // 2}" for i in range(rows)],
        "q_age": [str(i) if i % 3 else "" for i in range(rows)],
        "q_parts": ["arm;leg" if i % 2 else "arm" for i in range(rows)],
        "q_sex": ["f" if i % 5 else "" for i in range(rows)],
    }
    pd.DataFrame({**table, **columns}).to_csv(root / "labels.csv", index=False)
    return f"folder:{root}"


def pulled(tmp_path, uri, params=PARAMS):
    pin = lock(uri, params, tmp_path / "source")
    with ThreadPoolExecutor(2) as executor:
        return pack(pin, open_source(uri, params), params, executor, tmp_path / "shards", tmp_path / "checkpoints"), pin


def test_a_folder_is_pulled_into_shards_and_a_catalog_in_contract(tmp_path):
    result, pin = pulled(tmp_path, folder_source(tmp_path / "in"))
    write_table(tmp_path / "catalog.parquet", result.catalog, CATALOG, pin.questions)
    assert [(q.name, q.kind) for q in pin.questions] == [("age", "number"), ("parts", "multi"), ("sex", "choice")]
    shards = Shards(tmp_path / "shards")
    row = result.catalog.iloc[7]
    assert shards.image(row["shard"], row["row"]).size == (row["width"], row["height"]) == (48, 36)
    assert len(result.quarantine) == 0


def test_a_broken_image_is_quarantined_with_its_reason_and_the_run_goes_on(tmp_path):
    uri = folder_source(tmp_path / "in")
    (tmp_path / "in" / "03.jpg").write_bytes(jpeg(3)[:700])
    (tmp_path / "in" / "04.jpg").write_bytes(b"<html>not found</html>")
    result, _ = pulled(tmp_path, uri, PARAMS.model_copy(update={"max_quarantine": 0.1}))
    reasons = dict(zip(result.quarantine["image_id"], result.quarantine["reason"], strict=True))
    assert reasons["03.jpg"].startswith("cannot be decoded")
    assert reasons["04.jpg"] == "not an image"
    assert len(result.catalog) == 38
    with pytest.raises(SourceError, match=r"2 of 40 images are broken \(5.0%\), more than pull.max_quarantine = 1.0%"):
        pulled(tmp_path, uri)


def test_a_source_that_moved_after_the_lock_is_an_error_and_leaves_no_shards(tmp_path):
    uri = folder_source(tmp_path / "in")
    pin = lock(uri, PARAMS, tmp_path / "source")
    (tmp_path / "in" / "05.jpg").write_bytes(jpeg(99))
    with ThreadPoolExecutor(1) as executor, pytest.raises(SourceError, match=r"05.jpg is not the object that was pinned"):
        pack(pin, open_source(uri, PARAMS), PARAMS, executor, tmp_path / "shards", tmp_path / "checkpoints")
    assert not (tmp_path / "shards").exists()


def test_a_killed_pull_goes_on_from_the_parts_it_had(tmp_path, monkeypatch):
    uri = folder_source(tmp_path / "in", rows=160)
    pin, source = lock(uri, PARAMS, tmp_path / "source"), open_source(uri, PARAMS)
    where = (tmp_path / "shards", tmp_path / "checkpoints")
    (tmp_path / "in" / "150.jpg").rename(tmp_path / "gone.jpg")
    with ThreadPoolExecutor(1) as executor, pytest.raises(SourceError, match="150.jpg cannot be read"):
        pack(pin, source, PARAMS, executor, *where)
    (tmp_path / "gone.jpg").rename(tmp_path / "in" / "150.jpg")
    finished = list((tmp_path / "checkpoints").rglob("part-*"))
    assert len(finished) == 2
    (tmp_path / "in" / "00.jpg").unlink()  # belongs to a finished part: nobody asks for it again
    with ThreadPoolExecutor(1) as executor:
        assert len(pack(pin, source, PARAMS, executor, *where).catalog) == 160
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_metadata_is_stripped_after_the_photo_was_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    exif.get_ifd(0x8825)[1] = "N"
    data = jpeg(1, size=(60, 40), exif=exif)
    photo = develop(data, 32, 10_000)
    stored = Image.open(io.BytesIO(photo.jpeg))
    assert len(stored.getexif()) == 0
    assert (photo.width, photo.height) == stored.size == (32, 48)


def test_a_decompression_bomb_is_refused_before_its_pixels_are_decoded():
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    with pytest.raises(BrokenImageError, match="30000x30000 pixels, more than pull.max_pixels"):
        develop(bomb.getvalue(), 160, 100_000_000)


def test_a_small_image_is_never_enlarged():
    photo = develop(jpeg(1, size=(60, 40)), 160, 10_000)
    assert (photo.width, photo.height) == (60, 40)


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
    with pytest.raises(SourceError, match="Refused as a zip bomb"):
        ZipFiles(tmp_path / "bomb.zip").read("a.jpg")


def test_a_file_that_is_no_zip_is_named(tmp_path):
    (tmp_path / "x.zip").write_text("no")
    with pytest.raises(SourceError, match=r"x.zip is not a readable zip"):
        open_source(f"ham10000:{tmp_path / 'x.zip'}", PARAMS)


@pytest.mark.parametrize(
    ("columns", "error", "says"),
    [
        ({"image": ["00.jpg"] * 40}, ContractError, "column image_id, row 1: the id '00.jpg' stands there a second time"),
        ({"split": ["train", "test"] * 20}, SourceError, "20 patient.s. have images in more than one split"),
        ({"patient_id": [None] * 40}, SourceError, "line 2, column patient_id: is empty"),
        ({"label": ["nevus"] * 40}, SourceError, "Fewer than two diagnoses"),
        ({"image": ["../x.jpg"] + [f"{i:02d}.jpg" for i in range(1, 40)]}, SourceError, "points outside"),
    ],
)
def test_bad_tables_are_refused_and_leave_no_pin(tmp_path, columns, error, says):
    with pytest.raises(error, match=says):
        lock(folder_source(tmp_path / "in", **columns), PARAMS, tmp_path / "source")
    assert not (tmp_path / "source").exists()


def test_a_missing_column_is_named_with_those_there_are(tmp_path):
    uri = folder_source(tmp_path / "in")
    with pytest.raises(SourceError, match=r"column diagnosis is missing; it has image, label"):
        lock(uri, PARAMS.model_copy(update={"label_column": "diagnosis"}), tmp_path / "source")


def test_a_pin_made_with_other_params_or_altered_since_is_refused(tmp_path):
    lock(folder_source(tmp_path / "in"), PARAMS, tmp_path / "source")
    with pytest.raises(ParamsError, match="pull.min_class_count is 3 in params.yaml, but .* was locked with 2"):
        read_pin(PARAMS.model_copy(update={"min_class_count": 3}), tmp_path / "source")
    (tmp_path / "source" / "classes.json").write_text('{"targets": ["a", "b"]}')
    with pytest.raises(ContractError, match="altered since it was locked"):
        read_pin(PARAMS, tmp_path / "source")


def test_an_unknown_source_lists_the_valid_ones():
    with pytest.raises(SourceError, match="Valid: phantom, folder:PATH, ham10000:PATH, scin:PATH"):
        open_source("s4://bucket", PARAMS)


def test_ham10000_groups_by_lesion_and_keeps_how_the_diagnosis_was_made(tmp_path):
    with zipfile.ZipFile(tmp_path / "ham.zip", "w") as archive:
        rows = [f"L{i // 2},I{i},{'nv' if i % 3 else 'mel'},histo,{40 + i}.0,{'male' if i % 2 else 'unknown'},back" for i in range(12)]
        archive.writestr("HAM10000_metadata.csv", "\n".join(["lesion_id,image_id,dx,dx_type,age,sex,localization", *rows]))
        for i in range(12):
            archive.writestr(f"HAM10000_images_part_{i % 2 + 1}/I{i}.jpg", jpeg(i))
    listing = open_source(f"ham10000:{tmp_path / 'ham.zip'}", PARAMS).scan()
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
    listing = open_source(f"scin:{tmp_path}", PARAMS).scan()
    of_case = listing.manifest.set_index("image_id")
    assert of_case.loc["0b", "case_id"] == of_case.loc["0", "case_id"] == "c0"
    assert of_case.loc["0", "diagnosis"] == "Tinea"
    assert of_case.loc["1", "note_weights"] == '{"Eczema": 0.7, "Urticaria": 0.3}'
    assert of_case.loc["0", "q_textures"] == ("flat",)
    assert of_case.loc["0", "q_body_parts"] is None


def test_splits_keep_patients_together_and_every_label_in_every_split():
    rng = np.random.default_rng(0)
    patients = pd.Series([f"p{i}" for i in rng.integers(0, 900, 3000)])
    labels = patients.map(dict(zip(patients.unique(), rng.choice(["a", "b", "c"], 900, p=[0.9, 0.09, 0.01]), strict=False)))
    splits = pd.Series(assign_splits(patients, labels, 0.2, 0.1, seed=1))
    assert splits.groupby(patients).nunique().max() == 1
    assert (pd.crosstab(labels, splits).to_numpy() > 0).all()
    patients_of_split = patients.groupby(splits).nunique() / patients.nunique()
    assert abs(patients_of_split["test"] - 0.2) < 0.01
    again = assign_splits(patients, labels, 0.2, 0.1, seed=1)
    assert (again == splits).all()
    assert (assign_splits(patients, labels, 0.2, 0.1, seed=2) != splits).any()
