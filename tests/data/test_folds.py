import time

import numpy as np
import pandas as pd
import pytest

from dermlab.data.folds import patient_folds, patients_per_class, people_of
from dermlab.run.errors import ContractError


def clinic(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels with a long tail over 26 classes; patients of 1 to 5 photos, mostly of one class."""
    rng = np.random.default_rng(seed)
    share = 0.8 ** np.arange(26)
    patients = np.repeat(np.arange(rows), rng.integers(1, 6, rows))[:rows]
    labels = rng.choice(26, rows, p=share / share.sum())[patients]
    stray = rng.random(rows) < 0.05
    labels[stray] = rng.choice(26, stray.sum(), p=share / share.sum())
    return labels, patients.astype(str)


def test_no_patient_lies_in_two_folds():
    labels, patients = clinic(3000)
    folds = patient_folds(labels, patients, 26, 5, seed=17)
    for patient in np.unique(patients):
        assert len(set(folds[patients == patient])) == 1


def test_every_fold_has_its_share_of_the_patients_of_every_class():
    labels, patients = clinic(10_000)
    folds = patient_folds(labels, patients, 26, 5, seed=17)
    stratum = {}
    for label, patient in zip((labels + 1) % 26, patients, strict=True):
        stratum[patient] = max(stratum.get(patient, 0), label)
    table = np.zeros((5, 26), dtype=int)
    for patient, fold in dict(zip(patients, folds, strict=True)).items():
        table[fold, stratum[patient]] += 1
    assert np.ptp(table, axis=0).max() <= 1
    assert np.abs(np.bincount(folds) / len(labels) - 0.2).max() < 0.02


@pytest.mark.parametrize("label", [0, 3, 25])
def test_a_patient_more_moves_only_patients_at_the_borders_of_one_stratum(label):
    labels, patients = clinic(3000)
    before = patient_folds(labels, patients, 26, 5, seed=17)
    after = patient_folds(np.append(labels, label), np.append(patients, "new"), 26, 5, seed=17)[:-1]
    assert len(set(patients[before != after])) <= 4


def test_two_draws_of_one_seed_and_one_draw_of_two_seeds_differ():
    labels, patients = clinic(2000)
    draws = [patient_folds(labels, patients, 26, 5, seed, repeat) for seed, repeat in ((17, 0), (17, 1), (18, 0))]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert 0.7 < (draws[one] != draws[other]).mean() < 0.9


def test_the_seed_decides_and_row_order_does_not():
    labels, patients = clinic(2000)
    one = patient_folds(labels, patients, 26, 5, seed=17)
    assert (one == patient_folds(labels, patients, 26, 5, seed=17)).all()
    assert (one != patient_folds(labels, patients, 26, 5, seed=18)).any()
    shuffle = np.random.default_rng(1).permutation(len(labels))
    assert (patient_folds(labels[shuffle], patients[shuffle], 26, 5, seed=17) == one[shuffle]).all()


def test_a_class_of_fewer_patients_than_folds_is_spread_over_as_many_folds_as_it_has_patients():
    labels = np.array([0] * 20 + [1] * 4)
    patients = np.array([*range(20), 100, 100, 101, 102]).astype(str)
    folds = patient_folds(labels, patients, 3, 5, seed=17)
    assert len(set(folds[labels == 1])) == 3
    assert patients_per_class(labels, patients, 3).tolist() == [20, 3, 0]


def test_one_patient_cannot_be_shared_out():
    with pytest.raises(ContractError, match=r"1 patient\(s\) cannot be shared out over 5 folds"):
        patient_folds(np.zeros(9, dtype=int), np.array(["p"] * 9), 2, 5, seed=17)


def test_time_grows_with_the_rows_and_not_with_their_square():
    def seconds(rows: int) -> float:
        labels, patients = clinic(rows)
        started = time.process_time()
        patient_folds(labels, patients, 26, 5, seed=17)
        return time.process_time() - started

    seconds(2000)
    assert seconds(32_000) < 4 * 4 * seconds(8000)


def test_patients_who_share_a_copy_bear_one_name():
    patients = pd.Series(["q", "p", "r", "q", "s"])
    assert people_of(patients, np.array([0, 0, 1, 2, 2])).tolist() == ["p", "p", "r", "p", "p"]
    assert people_of(patients, np.arange(5)).tolist() == patients.tolist()
