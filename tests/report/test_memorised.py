import pandas as pd
import pytest

from dermlab.report.memorised import by_epoch, lead

IDS = [f"i{i}" for i in range(6)]
TRUTH = pd.DataFrame(
    {"image_id": IDS, "true_label": ["acne"] * 2 + ["eczema"] * 3 + ["acne"], "kind": ["mislabeled"] * 2 + ["clean"] * 3 + ["no_skin"]}
)
FLAGS = pd.DataFrame(
    {"image_id": IDS, "label_issue": [True] + [False] * 5, "issue": ["mislabeled", "none", "hard", "none", "none", "garbage"]}
)
MANIFEST = pd.DataFrame({"image_id": [*IDS, "i9"], "label": "eczema", "split": ["train"] * 6 + ["val"], "origin": "kept"})
LEARNT = pd.DataFrame({
    "image_id": IDS,
    "frozen_1": ["acne", "acne", "acne", "eczema", "eczema", "eczema"],
    "finetune_1": ["eczema", "acne", None, "eczema", "acne", "acne"],
    "finetune_2": ["eczema", "eczema", "eczema", "eczema", "eczema", "acne"],
})  # fmt: skip


def shares(found: dict) -> list[tuple]:
    return [(row["phase"], row["epoch"], row["doubted"], row["others"]) for row in found["epochs"]]


def test_wrong_labels_are_parted_from_right_ones_by_the_truth_and_garbage_is_left_out():
    found = by_epoch(LEARNT, FLAGS, MANIFEST, TRUTH)
    assert (found["known"], found["rows"]) == (True, {"doubted": 2, "others": 3})
    assert shares(found) == [("frozen", 1, 0.0, pytest.approx(2 / 3)), ("finetune", 1, 0.5, 0.5), ("finetune", 2, 1.0, 1.0)]
    assert lead(found, ("finetune", 1)) == (
        "In its last epoch, 2 of fine-tuning, the network gives back 100.0 % of the wrong labels that it was shown, and "
        "100.0 % of the right ones (2 and 3 are trained on); in 1 of fine-tuning it was 50.0 % and 50.0 %. "
        "In the one that was kept, 1 of fine-tuning, it was 50.0 % and 50.0 %."
    )


def test_one_epoch_of_fine_tuning_is_set_beside_the_heads_last():
    found = by_epoch(LEARNT.drop(columns="finetune_2"), FLAGS, MANIFEST, TRUTH)
    assert lead(found, ("finetune", 1)).endswith("; in 1 of the frozen head it was 0.0 % and 66.7 %.")


def test_without_a_truth_the_flags_part_them():
    found = by_epoch(LEARNT, FLAGS, MANIFEST, TRUTH.head(0))
    assert (found["known"], found["rows"]) == (False, {"doubted": 2, "others": 4})
    assert shares(found)[2] == ("finetune", 2, 1.0, 0.75)
    assert "of the others (2 and 4 are trained on)" in lead(found, ("finetune", 2))


def test_a_label_that_review_set_right_is_no_wrong_one():
    right = MANIFEST.assign(label=["acne", *["eczema"] * 6])
    assert by_epoch(LEARNT, FLAGS, right, TRUTH)["rows"] == {"doubted": 1, "others": 4}


@pytest.mark.parametrize("origin", ["confirmed: seen", "relabeled: 2 of 2 readers"])
def test_a_label_that_review_settled_is_not_doubted_whatever_the_flags_say(origin):
    settled = MANIFEST.assign(origin=["kept", "kept", origin, *["kept"] * 4])
    assert by_epoch(LEARNT, FLAGS, settled, TRUTH.head(0))["rows"] == {"doubted": 1, "others": 5}


def test_of_one_epoch_or_without_a_doubted_row_nothing_is_said():
    certain = FLAGS.assign(label_issue=False, issue="none")
    assert by_epoch(LEARNT[["image_id", "frozen_1"]], FLAGS, MANIFEST, TRUTH) == {}
    assert by_epoch(LEARNT, certain, MANIFEST, TRUTH.head(0)) == {}
    assert lead({}, None) == ""
