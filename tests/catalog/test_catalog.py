from dataclasses import replace

import pytest
from defaults import DEFAULTS

from dermlab.catalog.build import build_catalog
from dermlab.catalog.params import Params
from dermlab.data.tables import CATALOG, TRUTH, WANTED, write_table
from dermlab.lock.listing import Options
from dermlab.lock.lock import lock
from dermlab.run.errors import ContractError
from dermlab.run.params import read_params

KNOBS = read_params(Params, DEFAULTS).catalog


@pytest.fixture(scope="module")
def pin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pin")
    return lock("phantom", Options(images=600), folder / "source", folder / ".location")


def test_the_three_tables_are_in_contract(pin, tmp_path):
    made = build_catalog(pin, KNOBS)
    write_table(tmp_path / "catalog.parquet", made.catalog, CATALOG, pin.questions)
    write_table(tmp_path / "wanted.parquet", made.wanted, WANTED)
    write_table(tmp_path / "truth.parquet", made.truth, TRUTH)
    assert len(made.catalog) == len(made.wanted) == len(made.truth) == 600


def test_noise_another_split_or_a_corrected_label_leave_what_is_wanted_as_it_was(pin, tmp_path):
    diagnosis = pin.manifest["diagnosis"].replace({"eczema": "psoriasis", "psoriasis": "eczema"})
    changed = [
        build_catalog(pin, KNOBS.model_copy(update={"noise_rate": 0.1})),
        build_catalog(pin, KNOBS.model_copy(update={"seed": 18})),
        build_catalog(replace(pin, manifest=pin.manifest.assign(diagnosis=diagnosis)), KNOBS),
    ]
    before = build_catalog(pin, KNOBS)
    write_table(tmp_path / "before.parquet", before.wanted, WANTED)
    for number, made in enumerate(changed):
        assert not made.catalog.equals(before.catalog)
        write_table(tmp_path / f"{number}.parquet", made.wanted, WANTED)
        assert (tmp_path / f"{number}.parquet").read_bytes() == (tmp_path / "before.parquet").read_bytes()


def test_val_is_taken_out_of_train_where_the_source_has_none_and_its_test_split_stays(pin):
    whole = build_catalog(pin, KNOBS).catalog
    given = pin.manifest.assign(split=whole["split"].replace("val", "train").to_numpy())
    made = build_catalog(replace(pin, manifest=given), KNOBS).catalog
    assert ((made["split"] == "test") == (given["split"] == "test")).all()
    assert made.groupby("patient_id")["split"].nunique().max() == 1
    by_patient = made[made["split"] != "test"].drop_duplicates("patient_id")["split"]
    assert (by_patient == "val").mean() == pytest.approx(KNOBS.val_fraction, abs=0.06)
    assert (made["split"] == whole["split"]).mean() > 0.95  # by the same rule


def test_a_class_without_a_training_row_is_refused_with_its_name(pin):
    manifest = pin.manifest.assign(split=["test" if name == "scabies" else "train" for name in pin.manifest["diagnosis"]])
    with pytest.raises(ContractError, match="No training image is labelled scabies"):
        build_catalog(replace(pin, manifest=manifest), KNOBS)


def test_what_raters_said_is_said_of_classes_and_a_label_made_wrong_on_purpose_is_one(tmp_path):
    rated = lock("phantom", Options(images=600, raters=3), tmp_path / "source", tmp_path / "location")
    catalog = build_catalog(rated, KNOBS).catalog
    write_table(tmp_path / "catalog.parquet", catalog, CATALOG, rated.questions)
    by_id = catalog.set_index("image_id")
    for row in rated.manifest.itertuples():
        given, found = row.diagnoses or ((row.diagnosis, 1.0),), by_id.loc[row.image_id]
        shares = dict.fromkeys((rated.classes.label_of(name) for name, _ in given), 0.0)
        for name, share in given:
            shares[rated.classes.label_of(name)] += share
        assert dict(found["labels"] or ((found["label"], 1.0),)) == pytest.approx(shares)
        assert [rated.classes.label_of(name) for _, name in row.raters] == [name for _, name in found["raters"]]
    noisy = build_catalog(rated, KNOBS.model_copy(update={"noise_rate": 0.3})).catalog
    changed = (noisy["label"] != catalog["label"]).to_numpy()
    assert changed.sum() > 50
    trained = (noisy["split"] == "train").to_numpy()
    assert noisy.loc[trained, ["labels", "votes", "raters"]].isna().all(axis=None)  # or the changed ones would give themselves away
    assert noisy.loc[~trained, "votes"].eq(3).all()
