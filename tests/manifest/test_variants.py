import itertools

import numpy as np
import pandas as pd
import pytest

from dermlab.data.classes import Classes
from dermlab.data.ledger import HEADER
from dermlab.data.lines import READERS
from dermlab.data.tables import MANIFEST, write_table
from dermlab.manifest import params as knobs
from dermlab.manifest.build import build_manifest
from dermlab.manifest.params import ManifestParams
from dermlab.manifest.variants import VARIANTS
from dermlab.run.errors import ContractError

CLASSES = Classes(("eczema", "psoriasis", "scabies"))
PARAMS = ManifestParams(
    other_ratio=0.05, guard=True, max_drop=0.1, min_count=50, rebalance="sqrt", beta=0.999, held_out="none", ledger="data/relabels.csv"
)
LOOK_ALIKE = {"eczema": "psoriasis", "psoriasis": "eczema", "scabies": "other", "other": "eczema"}
SIZES = {"eczema": 400, "psoriasis": 100, "scabies": 52, "other": 90}
UNGUARDED = PARAMS.model_copy(update={"guard": False})
NO_LEDGER = pd.DataFrame(columns=list(HEADER))


def clinic(sizes: dict[str, int] = SIZES, flagged: float = 0.3) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Catalog and flags: `sizes` training rows of each class, the first share of them flagged and as many more hard, each of
    quality number / 1000 and a suggestion half as likely as what is left; a fifth as many in val, test. Of every tenth row a third of
    the raters says the look-alike."""
    rows = []
    for split, part in (("train", 1), ("val", 5), ("test", 5)):
        for label, n in sizes.items():
            rows += [{"image_id": f"{split}-{label}-{i:05d}", "label": label, "split": split} for i in range(n // part)]
    catalog = pd.DataFrame(rows).sample(frac=1, random_state=0, ignore_index=True)
    catalog["labels"] = [
        ((label, 2 / 3), (LOOK_ALIKE[label], 1 / 3)) if image.endswith("0") else None
        for image, label in zip(catalog["image_id"], catalog["label"], strict=True)
    ]
    train = catalog[catalog["split"] == "train"]
    number = train["image_id"].str[-5:].astype(int)
    flags = pd.DataFrame(
        {
            "image_id": train["image_id"],
            "given": train["label"],
            "suggested": train["label"].map(LOOK_ALIKE),
            "suggested_prob": (1 - number / 1000) / 2,
            "label_issue": number < train["label"].map(sizes) * flagged,
            "issue": np.where(number < train["label"].map(sizes) * 2 * flagged, "hard", "none"),
            "quality": number / 1000,
            "leak": False,
        }
    )
    return catalog, flags


def ledger(*lines: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame([(image, old, new, "seen", "ada", "2026-01-01") for image, old, new in lines], columns=list(HEADER))


def build(variant="baseline", params=PARAMS, seed=17, decided=NO_LEDGER, tables=None):
    catalog, flags = tables or clinic()
    return build_manifest(catalog, flags, decided, CLASSES, variant.split("+"), params, seed)


def train_counts(manifest: pd.DataFrame) -> dict[str, int]:
    return manifest.loc[manifest["split"] == "train", "label"].value_counts().to_dict()


def test_baseline_keeps_every_target_row_with_weight_one(tmp_path):
    manifest, numbers = build()
    assert {k: v for k, v in train_counts(manifest).items() if k != "other"} == {"eczema": 400, "psoriasis": 100, "scabies": 52}
    assert (manifest["weight"] == 1).all()
    assert (manifest["origin"] == "kept").all()
    assert numbers["dropped"] == 0
    write_table(tmp_path / "manifest.parquet", manifest, MANIFEST)


def test_the_guard_caps_the_share_and_keeps_the_floor_and_drops_the_lowest_quality_first():
    manifest, numbers = build("cleaned")
    left = train_counts(manifest)
    assert left["eczema"] == 360  # 120 flagged, a tenth of 400 goes
    assert left["psoriasis"] == 90  # 30 flagged, a tenth of 100 goes
    assert left["scabies"] == 50  # 16 flagged, a tenth is 5, the floor leaves 2
    assert numbers["saved_by_guard"] == {"eczema": 80, "other": 18, "psoriasis": 20, "scabies": 14}
    assert numbers["dropped_per_class"] == {"eczema": 40, "other": 9, "psoriasis": 10, "scabies": 2}
    assert numbers["dropped"] == 61
    kept = set(manifest["image_id"])
    assert not any(f"train-eczema-{i:05d}" in kept for i in range(40))
    assert all(f"train-eczema-{i:05d}" in kept for i in range(40, 400))


@pytest.mark.parametrize("rows", [1, 20, 50])
def test_nothing_is_dropped_from_a_class_at_or_below_the_floor(rows):
    manifest, _ = build("cleaned", tables=clinic({**SIZES, "scabies": rows}))
    assert train_counts(manifest)["scabies"] == rows


def test_without_the_guard_every_flagged_row_goes():
    manifest, numbers = build("cleaned", PARAMS.model_copy(update={"guard": False}))
    left = train_counts(manifest)
    assert (left["eczema"], left["psoriasis"], left["scabies"]) == (280, 70, 36)
    assert numbers["saved_by_guard"] == {}
    assert numbers["dropped"] == 120 + 30 + 16 + 27


def test_agreed_drops_what_the_classifier_contradicts_down_to_the_floor_of_a_class_the_lowest_quality_first():
    manifest, numbers = build("agreed")
    left = train_counts(manifest)
    assert (left["eczema"], left["psoriasis"], left["scabies"]) == (160, 50, 50)  # contradicted: 240, 60 and 32 rows
    assert numbers["saved_by_guard"] == {"other": 14, "psoriasis": 10, "scabies": 30}
    assert numbers["dropped_per_class"] == {"eczema": 240, "other": 40, "psoriasis": 50, "scabies": 2}
    kept = set(manifest["image_id"])
    assert not {f"train-psoriasis-{i:05d}" for i in range(50)} & kept
    assert {f"train-psoriasis-{i:05d}" for i in range(50, 100)} <= kept
    decided = ledger(("train-eczema-00000", "eczema", "eczema"))
    assert "train-eczema-00000" in set(build("agreed+relabeled", decided=decided)[0]["image_id"])
    assert train_counts(build("agreed", UNGUARDED)[0])["scabies"] == 20


def test_cleaning_never_empties_a_class():
    catalog, flags = clinic()
    flags["label_issue"] |= flags["given"] == "scabies"
    with pytest.raises(ContractError, match=r"every training row of: scabies.*manifest.guard=on"):
        build("cleaned", PARAMS.model_copy(update={"guard": False}), tables=(catalog, flags))
    generous = PARAMS.model_copy(update={"max_drop": 0.999, "min_count": 0})
    assert train_counts(build("cleaned", generous, tables=(catalog, flags))[0])["scabies"] == 1


def test_agreed_that_is_to_leave_no_row_of_a_class_says_which_knob_to_raise():
    catalog, flags = clinic()
    flags.loc[flags["given"] == "scabies", "issue"] = "hard"
    with pytest.raises(ContractError, match=r"every training row of: scabies.*raise what the guard leaves .-S manifest.min_count=1"):
        build("agreed", PARAMS.model_copy(update={"min_count": 0}), tables=(catalog, flags))


def test_the_ledger_relabels_drops_and_confirms():
    decided = ledger(
        ("train-eczema-00000", "eczema", "psoriasis"),
        ("train-eczema-00001", "eczema", "drop"),
        ("train-eczema-00002", "eczema", "eczema"),
    )
    manifest, numbers = build("relabeled", decided=decided)
    rows = manifest.set_index("image_id")
    assert rows.loc["train-eczema-00000", ["label", "origin"]].tolist() == ["psoriasis", "relabeled: seen"]
    assert "train-eczema-00001" not in rows.index
    assert rows.loc["train-eczema-00002", ["label", "origin"]].tolist() == ["eczema", "confirmed: seen"]
    assert (numbers["relabeled"], numbers["reviewed_dropped"], numbers["confirmed"]) == (1, 1, 1)
    assert numbers["train_per_class"]["psoriasis"] == {"before": 100, "after": 101}


def test_what_readers_concluded_is_counted_by_how_many_agreed():
    decided = ledger(
        *((f"train-eczema-0000{n}", "eczema", to) for n, to in enumerate(("psoriasis", "eczema", "drop", "psoriasis", "eczema")))
    )
    decided["reason"] = ["2 of 2 readers", "2 of 2 readers", "2 of 3 readers", "2 of 3 readers", "seen"]
    decided.loc[:3, "reviewer"] = READERS
    manifest, numbers = build("relabeled", decided=decided)
    assert numbers["by_readers"] == {
        "2 of 2 readers": {"relabeled": 1, "reviewed_dropped": 0, "confirmed": 1},
        "2 of 3 readers": {"relabeled": 1, "reviewed_dropped": 1, "confirmed": 0},
    }
    assert manifest.set_index("image_id").at["train-eczema-00003", "origin"] == "relabeled: 2 of 3 readers"


def test_a_reviewed_row_is_not_dropped_for_its_old_flag():
    decided = ledger(("train-eczema-00000", "eczema", "psoriasis"), ("train-eczema-00002", "eczema", "eczema"))
    kept = set(build("relabeled+cleaned", decided=decided)[0]["image_id"])
    assert {"train-eczema-00000", "train-eczema-00002"} <= kept
    assert "train-eczema-00001" not in kept


def test_a_ledger_that_empties_a_class_is_an_error():
    tables = clinic({**SIZES, "scabies": 1})
    simulated = PARAMS.model_copy(update={"ledger": "data/simulated.csv"})
    with pytest.raises(ContractError, match=r"The ledger data/simulated.csv takes every training row of: scabies"):
        build("relabeled", simulated, decided=ledger(("train-scabies-00000", "scabies", "drop")), tables=tables)


def test_names_joined_in_any_order_give_the_same_manifest():
    decided = ledger(("train-eczema-00000", "eczema", "psoriasis"), ("train-scabies-00001", "scabies", "other"))
    first, numbers = build("+".join(VARIANTS), decided=decided)
    for names in itertools.islice(itertools.permutations(VARIANTS), 0, None, 61):
        again, same = build("+".join(names), decided=decided)
        pd.testing.assert_frame_equal(first, again)
        assert same == numbers


def test_rebalanced_weights_are_one_over_the_root_of_the_frequency_after_cleaning():
    manifest, numbers = build("rebalanced+cleaned")
    train = manifest[manifest["split"] == "train"]
    assert train["weight"].mean() == pytest.approx(1)
    weight = train.groupby("label")["weight"].first()
    assert weight["scabies"] / weight["eczema"] == pytest.approx(np.sqrt(360 / 50))
    assert (manifest.loc[manifest["split"] != "train", "weight"] == 1).all()
    assert numbers["weight_per_class"]["scabies"] == pytest.approx(weight["scabies"])


def test_a_softened_row_is_trained_towards_both_labels_in_the_proportion_of_their_probabilities(tmp_path):
    catalog, flags = clinic()
    rows = flags.set_index("image_id")
    rows.loc["train-eczema-00000", ["quality", "suggested_prob"]] = 0.6, 0.2
    rows.loc["train-scabies-00001", ["quality", "suggested_prob"]] = 0.1, 0.7
    rows.loc["train-psoriasis-00002", ["quality", "suggested_prob"]] = 0.989, 0.011
    rows.loc["train-psoriasis-00003", ["quality", "suggested_prob"]] = 0.991, 0.009
    rows.loc["train-psoriasis-00004", ["quality", "suggested_prob"]] = 0.0, 0.0
    manifest, numbers = build("softened", UNGUARDED, tables=(catalog, rows.reset_index()))
    write_table(tmp_path / "manifest.parquet", manifest, MANIFEST)
    after = manifest.set_index("image_id")
    assert dict(after.loc["train-eczema-00000", "labels"]) == pytest.approx({"eczema": 0.75, "psoriasis": 0.25})
    assert dict(after.loc["train-scabies-00001", "labels"]) == pytest.approx({"other": 0.875, "scabies": 0.125})
    assert after.loc["train-scabies-00001", "label"] == "scabies"  # stays the one given, however doubtful it is
    assert dict(after.loc["train-psoriasis-00002", "labels"])["eczema"] == pytest.approx(0.011)
    assert after.loc[["train-psoriasis-00003", "train-psoriasis-00004"], "labels"].isna().all()
    assert (numbers["softened"], numbers["dropped"]) == (400 + 98 + 52 + train_counts(manifest)["other"], 0)


def test_softening_moves_no_row_and_its_numbers_are_those_of_the_rows_that_are_trained_on():
    manifest, numbers = build("softened+cleaned", UNGUARDED)
    columns = ["image_id", "label", "split", "weight", "origin"]
    pd.testing.assert_frame_equal(manifest[columns], build("cleaned", UNGUARDED)[0][columns])
    soft = manifest[manifest["labels"].notna()]
    number = soft["image_id"].str[-5:].astype(int)
    share = (1000 - number) / (1000 + number)  # of (1 - q) / 2 in q + (1 - q) / 2
    second = soft["label"].map(LOOK_ALIKE)
    assert [dict(labels)[name] for labels, name in zip(soft["labels"], second, strict=True)] == pytest.approx(share.tolist())
    assert {*map(len, soft["labels"])} <= {1, 2}
    others = train_counts(manifest)["other"]
    assert numbers["softened_per_class"] == {"eczema": 280, "other": others, "psoriasis": 70, "scabies": 36}
    assert (numbers["softened"], numbers["given_away"]) == (386 + others, pytest.approx(share.mean()))
    sums = share.groupby(soft["label"]).sum().to_dict()
    assert numbers["given_away_per_class"] == pytest.approx(sums)
    assert numbers["received_per_class"] == pytest.approx(
        {"eczema": sums["psoriasis"] + sums["other"], "other": sums["scabies"], "psoriasis": sums["eczema"]}
    )


def test_the_guard_bounds_what_a_class_gives_away_and_lets_the_lowest_quality_give_first():
    """Every row would give away a half: of a class of 400 rows 40 may go, of 100 rows 10, of one row a tenth."""
    catalog, flags = clinic({**SIZES, "scabies": 1})
    number = flags["image_id"].str[-5:].astype(int)
    tables = (catalog, flags.assign(quality=0.5 + number / 1e6, suggested_prob=0.5 + number / 1e6))
    manifest, numbers = build("softened", tables=tables)
    soft = manifest[manifest["labels"].notna()]
    assert {share for labels in soft["labels"] for _, share in labels} == {0.5}
    assert {k: v for k, v in soft["label"].value_counts().items() if k != "other"} == {"eczema": 80, "psoriasis": 20}
    assert soft.loc[soft["label"] == "psoriasis", "image_id"].tolist() == [f"train-psoriasis-{i:05d}" for i in range(20)]
    pool = train_counts(manifest)["other"]
    held = {"eczema": 320, "other": pool - int(pool * 0.1 / 0.5), "psoriasis": 80, "scabies": 1}
    assert numbers["believed_by_guard"] == held
    manifest, numbers = build("softened", UNGUARDED, tables=tables)
    assert manifest["labels"].notna().sum() == numbers["rows"]["train"]
    assert numbers["believed_by_guard"] == {}


def test_a_reviewed_row_keeps_the_one_label_that_review_left():
    decided = ledger(("train-eczema-00000", "eczema", "psoriasis"), ("train-eczema-00002", "eczema", "eczema"))
    after = build("softened+relabeled", decided=decided)[0].set_index("image_id")
    assert after.loc[["train-eczema-00000", "train-eczema-00002"], "labels"].isna().all()
    assert "psoriasis" in dict(after.loc["train-eczema-00001", "labels"])
    assert after.loc["train-eczema-00000", "label"] == "psoriasis"


def test_where_no_suggestion_is_likely_nothing_is_softened(tmp_path):
    catalog, flags = clinic()
    manifest, numbers = build("softened", tables=(catalog, flags.assign(quality=0.999, suggested_prob=0.001)))
    write_table(tmp_path / "softened.parquet", manifest, MANIFEST)
    write_table(tmp_path / "baseline.parquet", build()[0], MANIFEST)
    assert (tmp_path / "softened.parquet").read_bytes() == (tmp_path / "baseline.parquet").read_bytes()
    assert (numbers["softened"], numbers["given_away"], numbers["softened_per_class"]) == (0, 0.0, {})


def test_distributed_trains_a_row_towards_what_its_raters_said_and_val_and_test_stay(tmp_path):
    manifest, numbers = build("distributed")
    write_table(tmp_path / "manifest.parquet", manifest, MANIFEST)
    train = manifest[manifest["split"] == "train"]
    tenth = train["image_id"].str.endswith("0")
    assert [dict(labels)[label] for labels, label in zip(train.loc[tenth, "labels"], train.loc[tenth, "label"], strict=True)] == [
        2 / 3
    ] * tenth.sum()
    assert train.loc[~tenth, "labels"].isna().all()
    assert manifest.loc[manifest["split"] != "train", "labels"].isna().all()
    assert (numbers["distributed"], numbers["towards_other_labels"]) == (tenth.sum(), pytest.approx(1 / 3))
    pd.testing.assert_frame_equal(manifest.drop(columns="labels"), build()[0].drop(columns="labels"))


def test_what_raters_said_is_softened_as_a_label_is_and_a_reviewed_row_is_settled():
    decided = ledger(("train-eczema-00010", "eczema", "eczema"))
    after = build("softened+distributed+relabeled", UNGUARDED, decided=decided)[0].set_index("image_id")
    share = (1 - 0.02) / (1 + 0.02)  # of the suggestion, in its proportion to the quality
    expected = {"eczema": (1 - share) * 2 / 3, "psoriasis": (1 - share) / 3 + share}
    assert dict(after.loc["train-eczema-00020", "labels"]) == pytest.approx(expected)
    assert after.loc["train-eczema-00010", "labels"] is None


def test_without_several_raters_distributed_is_refused():
    catalog, flags = clinic()
    for plain in (catalog.drop(columns="labels"), catalog.assign(labels=None)):
        with pytest.raises(ContractError, match="one label a training row"):
            build("distributed", tables=(plain, flags))


def test_draw_weights_follow_the_label_whatever_else_a_row_is_trained_towards():
    assert build("softened+rebalanced")[0]["weight"].tolist() == build("rebalanced")[0]["weight"].tolist()


@pytest.mark.parametrize("variant", ["baseline", "cleaned+rebalanced+relabeled+softened"])
def test_no_variant_touches_val_or_test(variant):
    catalog, flags = clinic()
    manifest, _ = build(variant, decided=ledger(("train-eczema-00000", "eczema", "drop")), tables=(catalog, flags))
    test = manifest[manifest["split"] == "test"]
    frozen = catalog[catalog["split"] == "test"].sort_values("image_id")
    assert test["image_id"].tolist() == frozen["image_id"].tolist()
    assert test["label"].tolist() == frozen["label"].tolist()
    assert (test["weight"] == 1).all()
    val = manifest[manifest["split"] == "val"].reset_index(drop=True)
    pd.testing.assert_frame_equal(val, build()[0].query("split == 'val'").reset_index(drop=True))


@pytest.mark.parametrize("variant", ["baseline", "relabeled", "cleaned", "softened", "rebalanced"])
def test_a_training_copy_of_a_test_photo_is_left_out_of_every_variant(variant):
    catalog, flags = clinic()
    flags["leak"] = flags["image_id"].isin(["train-eczema-00399", "train-psoriasis-00099"])
    manifest, numbers = build(variant, tables=(catalog, flags))
    assert not {"train-eczema-00399", "train-psoriasis-00099"} & set(manifest["image_id"])
    assert numbers["leaks_left_out"] == 2
    assert numbers["train_per_class"]["eczema"]["before"] == 399


def test_flags_of_another_catalog_are_an_error():
    catalog, flags = clinic()
    with pytest.raises(ContractError, match=r"641 rows for 642 training images.*dvc repro flag"):
        build(tables=(catalog, flags.iloc[1:]))
    stale = flags.assign(given=np.where(flags["image_id"] == "train-eczema-00007", "psoriasis", flags["given"]))
    with pytest.raises(ContractError, match="first: train-eczema-00007"):
        build(tables=(catalog, stale))


def test_the_numbers_name_the_variants_in_the_order_they_ran():
    assert build("rebalanced+cleaned")[1]["variant"] == "cleaned+rebalanced"


def test_every_name_that_params_know_has_its_rule():
    assert tuple(VARIANTS) == knobs.VARIANTS


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("params", [PARAMS, UNGUARDED])
def test_where_nothing_is_flagged_every_variant_keeps_every_row(variant, params):
    """As on photos whose labels nothing doubts: no rule may stumble over a table without rows."""
    catalog, flags = clinic()
    certain = flags.assign(label_issue=False, issue="none", suggested_prob=0.0)
    manifest, _ = build(variant, params, tables=(catalog, certain))
    plain, _ = build("baseline", params, tables=(catalog, certain))
    assert train_counts(manifest) == train_counts(plain)
