import numpy as np
import pandas as pd
import pytest

from dermlab.data.not_copies import NOTHING_SAID
from dermlab.flag import duplicates
from dermlab.flag.duplicates import conflicts, copies, find_copies, groups_of_copies, near_pairs, shared_between_splits


@pytest.mark.parametrize("bits", [0, 1, 2, 5, 6, 9, 16])
def test_band_join_finds_every_pair_that_comparing_all_with_all_finds(monkeypatch, bits):
    monkeypatch.setattr(duplicates, "PAIRS_AT_ONCE", 50)
    rng = np.random.default_rng(bits)
    seeds = rng.integers(0, 2**64, 40, dtype=np.uint64)
    hashes = np.repeat(seeds, 8)
    for row in range(len(hashes)):
        for bit in rng.choice(64, rng.integers(0, bits + 2), replace=False):
            hashes[row] ^= np.uint64(1) << np.uint64(bit)
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None])
    expected = np.argwhere(np.triu(apart <= bits, k=1))
    assert len(expected) > 20
    assert near_pairs(hashes, bits).tolist() == expected.tolist()


def among_strangers(sha, phash, features) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows, then a hundred photos unlike them and each other: the usual distance of two photos is then 1."""
    rng = np.random.default_rng(0)
    strangers = np.pad(np.eye(100), ((0, 0), (features.shape[1], 0)))
    rows = np.concatenate([np.pad(features, ((0, 0), (0, 100))), strangers])
    names = np.concatenate([sha, [f"stranger {i}" for i in range(100)]])
    return names, np.concatenate([phash, rng.integers(2**50, 2**64, 100, dtype=np.uint64)]), rows


def test_hash_pairs_are_copies_only_if_their_features_agree_and_equal_bytes_always_are():
    sha = np.array(["a", "a", "b", "c", "d"])
    phash = np.array([0, 0, 3, 7, 2**40 - 1], dtype=np.uint64)
    features = np.array([[1, 0], [1, 0], [1, 0.05], [0, 1], [1, 0]], dtype=np.float16)
    group, pairs = groups_of_copies(*among_strangers(sha, phash, features), np.zeros(105), bits=4)
    assert group[0] == group[1] == group[2]
    assert group[3] != group[0]  # a near hash, other features
    assert group[4] != group[0]  # the same features, a far hash
    assert pairs.tolist() == [[0, 2], [1, 2]]


def test_a_pair_that_a_person_told_apart_links_nothing_under_any_name_of_the_same_bytes():
    sha = np.array(["a", "a", "b", "b"])
    phash = np.array([0, 0, 3, 3], dtype=np.uint64)
    rows = among_strangers(sha, phash, np.array([[1, 0], [1, 0], [1, 0.05], [1, 0.05]], dtype=np.float16))
    group, pairs = groups_of_copies(*rows, np.zeros(104), bits=4)
    assert len(set(group[:4])) == 1
    assert len(pairs) == 4
    group, pairs = groups_of_copies(*rows, np.zeros(104), bits=4, apart=np.array([[2, 1]]))
    assert group[0] == group[1] != group[2] == group[3]  # the same bytes are no question
    assert len(pairs) == 0


def test_pairs_are_found_by_id_and_those_the_source_lost_pass():
    sha = np.array(["a", "b"])
    names, hashes, features = among_strangers(sha, np.array([0, 1], dtype=np.uint64), np.array([[1.0, 0.0], [1.0, 0.05]]))
    catalog = pd.DataFrame({"image_id": [f"i{k}" for k in range(102)], "sha256": names, "phash": hashes, "label": "x", "split": "train"})
    said = pd.DataFrame({"image_id": ["gone", "i0"], "other_id": ["i0", "i1"]})
    assert len(find_copies(catalog, features, NOTHING_SAID, bits=4)[1]) == 1
    assert len(find_copies(catalog, features, said[:1], bits=4)[1]) == 1
    assert len(find_copies(catalog, features, said, bits=4)[1]) == 0


@pytest.mark.parametrize(("cosine", "one_label", "two_labels"), [(0.9, 1, 1), (0.8, 1, 0), (0.7, 0, 0)])
def test_a_near_pair_with_two_labels_needs_features_nearer_than_one_with_one_label(cosine, one_label, two_labels):
    features = np.array([[1, 0], [cosine, (1 - cosine**2) ** 0.5]])
    rows = among_strangers(np.array(["a", "b"]), np.array([0, 1], dtype=np.uint64), features)
    same, other = np.array(["x"] * 102), np.array(["x", "y", *["x"] * 100])
    assert len(groups_of_copies(*rows, same, bits=4)[1]) == one_label
    assert len(groups_of_copies(*rows, other, bits=4)[1]) == two_labels


def test_a_label_of_val_or_test_is_not_asked_whether_a_near_pair_bears_one_label():
    names, hashes, features = among_strangers(np.array(["a", "b"]), np.array([0, 1], dtype=np.uint64), np.array([[1, 0], [0.8, 0.6]]))
    ids = [f"i{k}" for k in range(102)]
    catalog = pd.DataFrame({"image_id": ids, "sha256": names, "phash": hashes, "label": ["x", "y", *["x"] * 100], "split": "train"})
    assert len(find_copies(catalog, features, NOTHING_SAID, bits=4)[1]) == 0
    for split in ("val", "test"):
        assert len(find_copies(catalog.assign(split=[split, *["train"] * 101]), features, NOTHING_SAID, bits=4)[1]) == 1


def test_where_all_features_point_one_way_two_photos_are_no_copies_for_having_a_cosine_near_one():
    sha, phash = np.array(["a", "b"]), np.array([0, 1], dtype=np.uint64)
    names, hashes, features = among_strangers(sha, phash, np.array([[1.0, 0.0], [0.0, 1.0]]))
    pulled = features + 3.0  # every pair has a cosine above 0.99
    assert len(groups_of_copies(names, hashes, pulled, np.zeros(102), bits=4)[1]) == 0


def test_photos_with_a_copy_in_two_splits_are_counted_for_every_two_splits():
    catalog = pd.DataFrame({"split": ["train", "val", "test", "val", "test", "train"]})
    shared = shared_between_splits(catalog, np.array([0, 0, 1, 1, 2, 3]))
    assert shared == {"train-val": 1, "train-test": 0, "val-test": 1}


def test_the_first_id_of_a_group_is_the_original_and_a_copy_across_splits_is_a_leak():
    catalog = pd.DataFrame(
        {
            "image_id": ["a", "b", "c", "d", "e", "f"],
            "split": ["train", "train", "test", "train", "train", "val"],
            "label": ["x", "y", "x", "z", "x", "x"],
        }
    )
    found = copies(catalog, np.array([0, 0, 1, 1, 2, 3]))
    assert found["duplicate_of"].dropna().to_dict() == {1: "a", 3: "c"}
    assert found["leak"].tolist() == [False, False, False, True, False, False]
    assert found["leaks_to"].dropna().to_dict() == {3: "c"}
    assert found["other_label"].dropna().to_dict() == {0: "y", 1: "x"}
    assert found["conflict"].tolist() == [True, True, False, False, False, False]  # test labels are no party to a conflict


def test_a_thousand_equal_hashes_take_all_their_pairs():
    assert len(near_pairs(np.zeros(1000, dtype=np.uint64), 6)) == 1000 * 999 // 2


def test_copies_in_val_and_test_that_bear_different_labels_are_named():
    catalog = pd.DataFrame(
        {
            "image_id": list("abcdefgh"),
            "split": ["train", "test", "val", "test", "test", "test", "train", "test"],
            "label": ["x", "y", "x", "x", "x", "y", "x", "y"],
        }
    )
    group = np.array([0, 0, 1, 1, 2, 2, 3, 3])  # train and test differ; val and test agree; test differs with itself; train and test differ
    assert conflicts(catalog, group) == [{"splits": ["test", "test"], "labels": ["x", "y"], "images": ["e", "f"]}]
    assert conflicts(catalog.assign(label="x"), group) == []
