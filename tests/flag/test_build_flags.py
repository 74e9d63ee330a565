from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dermlab.data.classes import Classes
from dermlab.data.embeddings import EmbeddingInfo, Embeddings
from dermlab.data.json_files import write_json
from dermlab.data.questionnaire import Question
from dermlab.data.tables import FLAGS, write_table
from dermlab.flag.build import build_flags
from dermlab.flag.duplicates import _usual_distance
from dermlab.flag.params import FlagParams
from dermlab.run.errors import ContractError

CLASSES = Classes(("eczema", "psoriasis", "scabies"))
QUESTIONS = (Question(name="itching", kind="choice", choices=("no", "yes")),)
PARAMS = FlagParams(
    method="posterior", probs="oof", folds=5, repeats=2, seed=17, l2=10.0, expected_noise=0.1, precision=0.8, neighbours=10, phash_bits=6,
    max_leak=0.01, garbage="distance", skin_prompts="skin", not_skin_prompts="a document", prompt_templates="a photo of {}",
)  # fmt: skip


def clinic(rows: int = 500) -> tuple[pd.DataFrame, Embeddings]:
    """Three separable classes and `other`; rows 0-9 mislabeled; row 20 is a copy of a test row, rows 30 and 31 are copies with two
    labels; scabies has two patients."""
    rng = np.random.default_rng(0)
    true = rng.choice([0, 1, 3], rows, p=[0.5, 0.3, 0.2])
    true[40:44] = 2
    features = rng.normal(size=(rows, 16)) + 7 * np.eye(4, 16)[true]
    given = true.copy()
    given[:10] = np.where(true[:10] == 0, 1, 0)
    patients = np.arange(rows) // 2
    split = np.where(patients % 5 == 4, "test", "train")
    split[40:44] = "train"
    patients[40:42], patients[42:44] = 9000, 9001
    phash = rng.integers(0, 2**64, rows, dtype=np.uint64)
    source = int(np.flatnonzero(split == "test")[0])
    phash[20], features[20], given[20] = phash[source] ^ np.uint64(5), features[source], given[source]
    split[20] = "train"
    patients[20] = 9999
    phash[31], features[31], patients[30:32], split[30:32] = phash[30], features[30], [9998, 9997], "train"
    given[30:32] = 0, 1
    ids = np.array([f"i{row:04d}" for row in range(rows)])
    catalog = pd.DataFrame(
        {
            "image_id": ids,
            "patient_id": [f"p{p}" for p in patients],
            "case_id": [f"c{p}" for p in patients],
            "label": np.array(CLASSES.names)[given],
            "split": split,
            "sha256": ids,
            "phash": phash,
            "q_itching": rng.choice(["yes", "no", None], rows),
        }
    )
    return catalog, Embeddings(ids, features.astype(np.float16), EmbeddingInfo("lite0", 16, 128, "weights"))


def test_flags_hold_every_training_row_once_and_no_other(tmp_path):
    catalog, embeddings = clinic()
    flags, numbers = build_flags(catalog, embeddings, CLASSES, QUESTIONS, PARAMS)
    assert flags["image_id"].tolist() == catalog.loc[catalog["split"] == "train", "image_id"].tolist()
    assert flags["given"].tolist() == catalog.loc[catalog["split"] == "train", "label"].tolist()
    assert numbers["rows"] == len(flags)
    write_table(tmp_path / "flags.parquet", flags, FLAGS)


def test_mislabeled_rows_are_flagged_with_the_class_they_belong_to():
    catalog, embeddings = clinic()
    flags, numbers = build_flags(catalog, embeddings, CLASSES, QUESTIONS, PARAMS)
    wrong = flags[flags["image_id"].isin([f"i{row:04d}" for row in range(10)])]
    assert wrong["label_issue"].all()
    assert set(wrong["issue"]) == {"mislabeled"}
    assert wrong["quality"].max() < flags["quality"].quantile(0.05)
    eczema = wrong[wrong["given"] == "psoriasis"]
    assert set(eczema["suggested"]) == {"eczema"}
    assert eczema["suggested_prob"].min() > 0.9
    assert eczema["agreement"].max() < 0.2
    assert numbers["flagged_rate"] < 0.06
    assert numbers["flagged"] == int(flags["label_issue"].sum())
    assert sum(pair["rows"] for pair in numbers["confusions"]) == numbers["flagged"]


def test_a_training_copy_of_a_test_photo_is_a_leak():
    catalog, embeddings = clinic()
    flags, numbers = build_flags(catalog, embeddings, CLASSES, QUESTIONS, PARAMS)
    assert flags.loc[flags["leak"], "image_id"].tolist() == ["i0020"]
    assert numbers["leaks"] == 1
    assert flags.set_index("image_id").at["i0020", "issue"] == "leak"
    assert pd.isna(flags.set_index("image_id").at["i0020", "review_rank"])


def test_more_leaks_than_allowed_stop_the_run_with_the_pairs_named():
    catalog, embeddings = clinic()
    source = catalog.loc[catalog["split"] == "test", "image_id"].iloc[0]
    with pytest.raises(ContractError, match=f"1 of 400 .*more than flag.max_leak = 0.00%: i0020 = {source}[.] .*-S flag.max_leak"):
        build_flags(catalog, embeddings, CLASSES, QUESTIONS, PARAMS.model_copy(update={"max_leak": 0.0}))


def test_a_leak_that_a_person_told_apart_is_none():
    catalog, embeddings = clinic()
    source = catalog.loc[catalog["split"] == "test", "image_id"].iloc[0]
    digests = catalog["sha256"].where(catalog["image_id"] != "i0020", "other bytes")
    said = pd.DataFrame({"image_id": [source], "other_id": ["i0020"]})
    strict = PARAMS.model_copy(update={"max_leak": 0.0})
    with pytest.raises(ContractError, match="`dermlab pairs` shows them"):
        build_flags(catalog.assign(sha256=digests), embeddings, CLASSES, QUESTIONS, strict)
    flags, numbers = build_flags(catalog.assign(sha256=digests), embeddings, CLASSES, QUESTIONS, strict, not_copies=said)
    assert numbers["leaks"] == 0
    assert not flags["leak"].any()


def test_one_photo_with_two_labels_is_what_a_person_is_asked_first():
    catalog, embeddings = clinic()
    flags, numbers = build_flags(catalog, embeddings, CLASSES, QUESTIONS, PARAMS)
    first = flags.sort_values("review_rank").head(2)
    assert set(first["image_id"]) == {"i0030", "i0031"}
    assert set(first["issue"]) == {"conflict"}
    assert dict(zip(first["given"], first["suggested"], strict=True)) == {"eczema": "psoriasis", "psoriasis": "eczema"}
    assert first["suggested_prob"].sum() == pytest.approx(1, abs=0.3)  # the same photo, seen by two folds
    assert numbers["issues"]["conflict"] == 2
    assert numbers["near_duplicates_agree"] == 0  # the pair of a test photo is not asked


def test_labels_of_val_and_test_rows_decide_nothing():
    """A training row is as near to a test photo as copies of one label are, and not as near as copies of two labels have to be."""
    catalog, embeddings = clinic()
    source, features = int(catalog.index[catalog["split"] == "test"][0]), embeddings.features.astype(float)
    photo = features[source] / np.linalg.norm(features[source])
    across = np.eye(16)[-1] - photo[-1] * photo
    cosine = 1 - 0.2 * _usual_distance(features)
    features[20] = cosine * photo + (1 - cosine**2) ** 0.5 * across / np.linalg.norm(across)
    near = replace(embeddings, features=features.astype(np.float16))
    catalog.loc[catalog["patient_id"].isin([f"p{p}" for p in range(104, 250, 10)]), "split"] = "val"
    rest = catalog.index[catalog["split"] != "train"]
    flags, numbers = build_flags(catalog, near, CLASSES, QUESTIONS, PARAMS)
    assert flags.set_index("image_id")["leak"].sum() == flags.set_index("image_id").at["i0020", "leak"] == 1
    for turn in (1, 2, 3):
        labels = catalog["label"].copy()
        labels[rest] = np.roll(labels[rest], turn)
        labels[source] = "scabies"
        again, numbers_again = build_flags(catalog.assign(label=labels), near, CLASSES, QUESTIONS, PARAMS)
        pd.testing.assert_frame_equal(again, flags)
        assert numbers_again == numbers


def test_planted_scanned_pages_come_right_after_the_conflicts():
    catalog, embeddings = clinic()
    planted = catalog.index[catalog["split"] == "train"][50:400:40]
    rng = np.random.default_rng(1)
    features = embeddings.features.copy()
    features[planted] = -6 + rng.normal(size=(len(planted), 16)) * 0.1  # far from all skin, near each other, of any label
    flags, numbers = build_flags(
        catalog,
        Embeddings(embeddings.image_ids, features, embeddings.info),
        CLASSES,
        QUESTIONS,
        PARAMS.model_copy(update={"neighbours": 5}),
    )
    found = flags[flags["image_id"].isin(catalog.loc[planted, "image_id"])]
    assert set(found["issue"]) == {"garbage"}
    assert found["review_rank"].min() > 2  # the conflict's two
    assert found["review_rank"].max() <= 2 + numbers["issues"]["garbage"]


def test_neighbours_are_other_patients_training_images():
    catalog, embeddings = clinic()
    flags, _ = build_flags(catalog, embeddings, CLASSES, QUESTIONS, PARAMS)
    patient = catalog.set_index("image_id")["patient_id"]
    for row in flags.itertuples():
        assert len(set(row.neighbours)) == 3
        assert set(row.neighbours) <= set(flags["image_id"])
        assert patient[row.image_id] not in set(patient[list(row.neighbours)])


def test_a_class_of_two_patients_is_listed_and_protected():
    catalog, embeddings = clinic()
    flags, numbers = build_flags(catalog, embeddings, CLASSES, QUESTIONS, PARAMS)
    assert numbers["small_classes"] == {"scabies": 2}
    assert set(flags.loc[flags["protected"], "given"]) == {"scabies"}


def test_numbers_are_the_same_each_time_and_name_no_patient(tmp_path):
    catalog, embeddings = clinic()
    for name in ("one", "two"):
        flags, numbers = build_flags(catalog, embeddings, CLASSES, QUESTIONS, PARAMS)
        write_table(tmp_path / f"{name}.parquet", flags, FLAGS)
        write_json(tmp_path / f"{name}.json", numbers)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    text = (tmp_path / "one.json").read_text()
    assert text == (tmp_path / "two.json").read_text()
    assert not any(f'"{patient}"' in text for patient in catalog["patient_id"])


def test_in_sample_probabilities_can_be_asked_for_and_are_named():
    catalog, embeddings = clinic()
    _, numbers = build_flags(catalog, embeddings, CLASSES, QUESTIONS, PARAMS.model_copy(update={"probs": "in_sample", "l2": 0.1}))
    _, out_of_fold = build_flags(catalog, embeddings, CLASSES, QUESTIONS, PARAMS)
    assert numbers["probs"] == "in_sample"
    assert numbers["accuracy"] > out_of_fold["accuracy"]


def test_the_garbage_score_that_is_given_is_asked_about_the_training_rows():
    catalog, embeddings = clinic()
    flags, _ = build_flags(catalog, embeddings, CLASSES, QUESTIONS, PARAMS, lambda features: (features[:, 0] > 3).astype(np.float32))
    train = (catalog["split"] == "train").to_numpy()
    assert flags["not_skin_score"].tolist() == (embeddings.features[train, 0] > 3).tolist()


def test_no_training_rows_is_an_error():
    catalog, embeddings = clinic()
    with pytest.raises(ContractError, match="no training rows"):
        build_flags(catalog.assign(split="test"), embeddings, CLASSES, QUESTIONS, PARAMS)


def test_a_class_of_fewer_patients_than_folds_is_never_called_mislabeled():
    """Folds that never saw the class doubt each of its labels: here its photos even look like another class."""
    catalog, embeddings = clinic()
    rare = (catalog["label"] == "scabies").to_numpy()
    alike = embeddings.features.copy()
    alike[rare] = alike[(catalog["label"] == "eczema").to_numpy()][40 : 40 + rare.sum()]
    seen = Embeddings(embeddings.image_ids, alike, embeddings.info)
    flags, numbers = build_flags(catalog, seen, CLASSES, QUESTIONS, PARAMS)
    of_rare = flags[flags["given"] == "scabies"]
    assert len(of_rare) == 4
    assert numbers["small_classes"] == {"scabies": 2}
    assert not of_rare["label_issue"].any()
    assert set(of_rare["issue"]) == {"hard"}
    assert (of_rare["quality"] < 0.5).all()  # the doubt is said, and a person asked
