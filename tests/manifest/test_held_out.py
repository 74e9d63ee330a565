"""The held-out fold of the training rows: patients together, copies together, every row in one fold, nothing else changed."""

import numpy as np
import pandas as pd
import pytest

from dermlab.data.classes import Classes
from dermlab.data.ledger import HEADER
from dermlab.data.tables import MANIFEST, write_table
from dermlab.manifest.build import build_manifest
from dermlab.manifest.params import ManifestParams

CLASSES = Classes(("eczema", "psoriasis"))
PARAMS = ManifestParams(
    other_ratio=0.05, guard=True, max_drop=0.1, min_count=10, rebalance="sqrt", beta=0.999, held_out="none", ledger="data/relabels.csv"
)
TARGETS = 120 + 60
LEAK, COPY = "train-eczema-007", {"train-eczema-090": "train-eczema-002"}


@pytest.fixture
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Catalog and flags: two photos a patient, two patients who share a copy, a training row that is a leak, every fifth flagged."""
    sizes = {"train": {"eczema": 120, "psoriasis": 60, "other": 40}, "val": {"eczema": 10}, "test": {"eczema": 10, "psoriasis": 10}}
    catalog = pd.DataFrame(
        [
            {"image_id": f"{split}-{label}-{i:03d}", "patient_id": f"{split}-{label}-p{i // 2}", "label": label, "split": split}
            for split, of in sizes.items()
            for label, n in of.items()
            for i in range(n)
        ]
    )
    train = catalog[catalog["split"] == "train"]
    flags = pd.DataFrame(
        {
            "image_id": train["image_id"],
            "given": train["label"],
            "suggested": "psoriasis",
            "suggested_prob": 0.5,
            "label_issue": np.arange(len(train)) % 5 == 0,
            "issue": "none",
            "quality": 0.5,
            "leak": train["image_id"] == LEAK,
            "duplicate_of": train["image_id"].map({**COPY, LEAK: "test-eczema-000"}),
        }
    )
    return catalog, flags


def build(tables, held_out: str, variant: str = "baseline", seed: int = 17):
    params = PARAMS.model_copy(update={"held_out": held_out})
    no_ledger = pd.DataFrame(columns=list(HEADER))
    return build_manifest(*tables, no_ledger, CLASSES, variant.split("+"), params, seed)


def ids(manifest: pd.DataFrame, split: str) -> set[str]:
    return set(manifest.loc[manifest["split"] == split, "image_id"])


def test_every_training_row_is_held_out_once_leaks_and_other_included(tables):
    catalog, _ = tables
    held_out = [image for k in range(1, 6) for image in ids(build(tables, f"{k}/5")[0], "held_out")]
    assert sorted(held_out) == sorted(catalog.loc[catalog["split"] == "train", "image_id"])


def test_what_is_held_out_is_not_trained_on_nor_any_photo_of_its_patients_or_their_copies(tables, tmp_path):
    catalog, _ = tables
    patient = catalog.set_index("image_id")["patient_id"]
    patient = patient.replace({patient[copy]: patient[of] for copy, of in COPY.items()})
    for k in range(1, 6):
        manifest, numbers = build(tables, f"{k}/5")
        write_table(tmp_path / "manifest.parquet", manifest, MANIFEST)
        assert not set(patient[list(ids(manifest, "train"))]) & set(patient[list(ids(manifest, "held_out"))])
        assert numbers["rows"]["held_out"] == len(ids(manifest, "held_out"))


def test_validation_and_test_rows_are_those_of_a_manifest_that_holds_nothing_out(tables):
    whole, numbers = build(tables, "none")
    manifest, _ = build(tables, "2/5")
    assert "held_out" not in numbers["rows"]
    for split in ("val", "test"):
        assert ids(manifest, split) == ids(whole, split)


def test_rules_see_what_is_trained_on_and_a_row_held_out_keeps_its_label_and_weight(tables):
    manifest, numbers = build(tables, "1/5", "cleaned+rebalanced")
    held_out = manifest[manifest["split"] == "held_out"]
    assert (held_out["weight"] == 1).all()
    assert (held_out["origin"] == "kept").all()
    targets = sum(numbers["train_per_class"][name]["before"] for name in CLASSES.targets)
    assert targets + (held_out["label"] != "other").sum() == TARGETS - (0 if LEAK in ids(manifest, "held_out") else 1)
    assert np.isclose(manifest.loc[manifest["split"] == "train", "weight"].mean(), 1)


def test_the_seed_draws_the_folds(tables):
    assert ids(build(tables, "1/5")[0], "held_out") != ids(build(tables, "1/5", seed=18)[0], "held_out")


@pytest.mark.parametrize("value", ["0/5", "6/5", "1/1", "1", "1/", "-1/5", "1/5/2", "all"])
def test_what_is_no_fold_is_refused_with_what_is(value):
    with pytest.raises(ValueError, match="Valid: none, or fold K of N as K/N, such as 2/5"):
        ManifestParams(**{**PARAMS.model_dump(), "held_out": value})
