import time

import numpy as np
import pytest

from dermlab.data.errors import ContractError
from dermlab.flag.folds import patient_folds, patients_per_class


def clinic(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels with a long tail over 26 classes; patients of 1 to 5 photos, mostly of one class."""
    rng = np.random.default_rng(seed)
    share = 0.8 ** np.arange(26)
    patients = np.repeat(np.arange(rows), rng.integers(1, 6, rows))[:rows]
    labels = rng.choice(26, rows, p=share / share.sum())[patients]
    stray = rng.random(rows) < 0.05
    labels[stray] = rng.choice(26, stray.sum(), p=share / share.sum())
    return labels, patients


def test_no_patient_lies_in_two_folds():
    labels, patients = clinic(3000)
    folds = patient_folds(labels, patients, 5, seed=17)
    for patient in np.unique(patients):
        assert len(set(folds[patients == patient])) == 1


def test_every_fold_has_its_share_of_every_class():
    labels, patients = clinic(10_000)
    folds = patient_folds(labels, patients, 5, seed=17)
    table = np.zeros((5, 26))
    np.add.at(table, (folds, labels), 1)
    assert np.abs(table.sum(1) / len(labels) - 0.2).max() < 0.005
    common = table.sum(0) >= 100
    assert np.abs(table / table.sum(0) - 0.2)[:, common].max() < 0.01
    assert np.ptp(table, axis=0).max() <= 5  # no more than one patient's photos


def test_the_seed_decides_and_row_order_does_not():
    labels, patients = clinic(2000)
    one = patient_folds(labels, patients, 5, seed=17)
    assert (one == patient_folds(labels, patients, 5, seed=17)).all()
    assert (one != patient_folds(labels, patients, 5, seed=18)).any()
    shuffle = np.random.default_rng(1).permutation(len(labels))
    assert (patient_folds(labels[shuffle], patients[shuffle], 5, seed=17) == one[shuffle]).all()


def test_a_class_of_fewer_patients_than_folds_is_spread_over_as_many_folds_as_it_has_patients():
    labels = np.array([0] * 20 + [1] * 4)
    patients = np.array([*range(20), 100, 100, 101, 102])
    folds = patient_folds(labels, patients, 5, seed=17)
    assert len(set(folds[labels == 1])) == 3
    assert patients_per_class(labels, patients, 3).tolist() == [20, 3, 0]


def test_fewer_patients_than_folds_is_an_error_that_names_the_knob():
    with pytest.raises(ContractError, match=r"3 patient\(s\) cannot be shared out over flag.folds: 5"):
        patient_folds(np.zeros(9, dtype=int), np.repeat([1, 2, 3], 3), 5, seed=17)


def test_time_grows_with_the_rows_and_not_with_their_square():
    def seconds(rows: int) -> float:
        labels, patients = clinic(rows)
        started = time.process_time()
        patient_folds(labels, patients, 5, seed=17)
        return time.process_time() - started

    seconds(2000)
    assert seconds(32_000) < 4 * 4 * seconds(8000)
