import numpy as np
import pandas as pd
import pytest
from defaults import DEFAULTS

from dermlab.catalog.noise import with_noise
from dermlab.catalog.params import Params
from dermlab.data.classes import Classes
from dermlab.run.params import read_params

CLASSES = Classes(("eczema", "psoriasis", "scabies"))
NO_TRUTH = pd.DataFrame({"image_id": [], "true_label": [], "kind": [], "duplicate_of": []})


@pytest.fixture
def knobs():
    return read_params(Params, DEFAULTS).catalog


def catalog(rows: int = 2000) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    labels = rng.choice([*CLASSES.names], rows, p=[0.6, 0.2, 0.1, 0.1])
    return pd.DataFrame(
        {
            "image_id": [f"i{row:04d}" for row in range(rows)],
            "case_id": [f"c{row // 2}" for row in range(rows)],
            "diagnosis": labels,
            "label": labels,
            "split": np.where(np.arange(rows) // 2 % 4 == 0, "test", "train"),
        }
    )


def noisy(knobs, rate=0.1, kind="pairs", seed=17, truth=NO_TRUTH):
    return with_noise(catalog(), truth, CLASSES, knobs.model_copy(update={"noise_rate": rate, "noise_kind": kind, "seed": seed}))


def test_without_a_rate_nothing_is_touched(knobs):
    table, truth = noisy(knobs, rate=0.0)
    pd.testing.assert_frame_equal(table, catalog())
    assert truth.empty


@pytest.mark.parametrize("kind", ["pairs", "uniform"])
def test_the_asked_share_of_training_labels_is_wrong_and_the_truth_knows_which(knobs, kind):
    table, truth = noisy(knobs, kind=kind)
    changed = table["label"] != catalog()["label"]
    eligible = (table["split"] == "train") & (catalog()["label"] != "other")
    assert changed.sum() / eligible.sum() == pytest.approx(0.1, abs=0.003)
    assert not (changed & ~eligible).any()
    assert (table["diagnosis"] == table["label"]).all()
    assert truth["image_id"].tolist() == table["image_id"].tolist()
    assert truth["true_label"].tolist() == catalog()["label"].tolist()
    assert ((truth["kind"] == "mislabeled") == changed.to_numpy()).all()


def test_pairs_go_to_the_next_class_and_uniform_ones_anywhere(knobs):
    before = catalog()["label"]
    table, _ = noisy(knobs)
    changed = table["label"] != before
    following = {"eczema": "psoriasis", "psoriasis": "scabies", "scabies": "eczema"}
    assert (table["label"][changed] == before[changed].map(following)).all()
    table, _ = noisy(knobs, kind="uniform")
    changed = table["label"] != before
    assert set(zip(before[changed], table["label"][changed], strict=True)) >= {("eczema", "psoriasis"), ("eczema", "scabies")}


def test_photos_of_a_case_with_one_label_are_mislabeled_together_and_seeds_choose_others(knobs):
    before = catalog()
    same = before.groupby("case_id")["label"].transform("nunique") == 1
    table, _ = noisy(knobs)
    changed = (table["label"] != before["label"]) & same
    assert (changed.groupby(table["case_id"]).nunique() == 1).all()
    again, _ = noisy(knobs)
    other, _ = noisy(knobs, seed=18)
    pd.testing.assert_frame_equal(table, again)
    assert not table["label"].equals(other["label"])


def test_a_truth_that_is_known_is_kept_and_a_wrong_label_made_right_by_luck_is_clean(knobs):
    before = catalog()
    known = pd.DataFrame({"image_id": before["image_id"], "true_label": "psoriasis", "kind": "mislabeled", "duplicate_of": None})
    table, truth = noisy(knobs, truth=known)
    made_right = (table["label"] != before["label"]) & (table["label"] == "psoriasis")
    assert made_right.any()
    assert set(truth.loc[made_right, "kind"]) == {"clean"}
    assert set(truth["true_label"]) == {"psoriasis"}
