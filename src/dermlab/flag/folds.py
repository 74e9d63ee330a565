"""Folds by patient, stratified by class: no patient lies in two folds, and every fold has its share of every class.

Greedy, after scikit-learn's StratifiedGroupKFold, but with running sums: O(P log P + P F) for P patients and F folds.
"""

from collections import Counter

import numpy as np

from dermlab.data.errors import ContractError


def patient_folds(labels: np.ndarray, patients: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """int64 [N], 0..folds-1: the fold that holds each row out.

    labels: int [N]; patients: [N], any comparable ids. Patients are placed one by one, those of the rarest classes first
    and the largest of these before smaller ones, each in the fold that has least of the patient's own classes: the sum over
    folds and classes of (share of the class in the fold)^2 grows least. A class with fewer patients than folds is absent
    from some folds; its rows still lie in exactly one. Raises ContractError where there are fewer patients than folds.
    """
    ids, patient_of_row = np.unique(patients, return_inverse=True)
    if len(ids) < folds:
        raise ContractError(f"{len(ids)} patient(s) cannot be shared out over flag.folds: {folds}. Lower it (-S flag.folds=2).")
    totals = np.bincount(labels)
    classes = len(totals)
    cells, counts = np.unique(patient_of_row * classes + labels, return_counts=True)
    owners, cell_classes = cells // classes, cells % classes
    starts = np.searchsorted(owners, np.arange(len(ids) + 1))
    rarest = np.minimum.reduceat(totals[cell_classes], starts[:-1])
    sizes = np.add.reduceat(counts, starts[:-1])
    tie = np.random.default_rng(seed).permutation(len(ids))

    # One column more, of all rows, keeps the folds of one size where classes leave a choice.
    price = [1.0 / max(int(total), 1) ** 2 for total in totals] + [1.0 / len(labels) ** 2]
    filled = [[0] * (classes + 1) for _ in range(folds)]
    fold_of = np.zeros(len(ids), dtype=np.int64)
    for patient in np.lexsort((tie, -sizes, rarest)):
        own = slice(starts[patient], starts[patient + 1])
        held = [*zip(cell_classes[own].tolist(), counts[own].tolist(), strict=True), (classes, int(sizes[patient]))]
        costs = [sum(price[c] * n * fold[c] for c, n in held) for fold in filled]
        best = costs.index(min(costs))
        fold_of[patient] = best
        for c, n in held:
            filled[best][c] += n
    return fold_of[patient_of_row]


def patients_per_class(labels: np.ndarray, patients: np.ndarray, classes: int) -> np.ndarray:
    """int [classes]: how many patients have a row of each class."""
    pairs = Counter(label for label, _ in set(zip(labels.tolist(), patients.tolist(), strict=True)))
    return np.array([pairs[c] for c in range(classes)], dtype=np.int64)
