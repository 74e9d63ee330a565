import numpy as np
import pandas as pd
import pytest

from dermlab.data.classes import Classes
from dermlab.data.embeddings import EmbeddingInfo, Embeddings
from dermlab.data.errors import ContractError
from dermlab.data.files import write_json
from dermlab.data.params import FlagParams
from dermlab.data.questionnaire import Question
from dermlab.data.tables import FLAGS, write_table
from dermlab.flag.build import build_flags

CLASSES = Classes(("eczema", "psoriasis", "scabies"))
QUESTIONS = (Question(name="itching", kind="choice", choices=("no", "yes")),)
PARAMS = FlagParams(
    method="confident_learning", probs="oof", folds=5, seed=17, l2=10.0, neighbours=5, phash_bits=6
)  # fmt: skip


def clinic(rows: int = 500) -> tuple[pd.DataFrame, Embeddings]:
    """Three separable classes and `other`; rows 0-9 mislabeled; row 20 is a copy of a test row; scabies has two patients."""
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
    ids = np.array([f"i{row:04d}" for row in range(rows)])
    catalog = pd.DataFrame(
        {
            "image_id": ids,
            "patient_id": [f"p{p}" for p in patients],
            "label": np.array(CLASSES.names)[given],
            "split": split,
            "sha256": ids,
            "phash": phash,
            "q_itching": rng.choice(["yes", "no", None], rows),
        }
    )
    return catalog, Embeddings(ids, features.astype(np.float16), EmbeddingInfo("lite0", 16, 128))


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
    assert wrong["label_issue"].mean() >= 0.75  # the others do not reach the mean confidence of the class they belong to
    assert wrong["quality"].max() < flags["quality"].quantile(0.05)
    eczema = wrong[wrong["given"] == "psoriasis"]
    assert set(eczema["suggested"]) == {"eczema"}
    assert numbers["flagged_rate"] < 0.06
    assert numbers["flagged"] == int(flags["label_issue"].sum())
    assert sum(pair["rows"] for pair in numbers["confusions"]) == numbers["flagged"]


def test_a_training_copy_of_a_test_photo_is_a_leak():
    catalog, embeddings = clinic()
    flags, numbers = build_flags(catalog, embeddings, CLASSES, QUESTIONS, PARAMS)
    assert flags.loc[flags["leak"], "image_id"].tolist() == ["i0020"]
    assert numbers["leaks"] == 1
    assert numbers["near_duplicates_agree"] == 1


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
    _, held_out = build_flags(catalog, embeddings, CLASSES, QUESTIONS, PARAMS)
    assert numbers["probs"] == "in_sample"
    assert numbers["accuracy"] > held_out["accuracy"]


def test_no_training_rows_is_an_error():
    catalog, embeddings = clinic()
    with pytest.raises(ContractError, match="no training rows"):
        build_flags(catalog.assign(split="test"), embeddings, CLASSES, QUESTIONS, PARAMS)
