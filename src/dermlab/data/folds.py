"""Folds by patient, stratified by class: no patient lies in two folds, and every fold has its share of every class."""

from collections import Counter, defaultdict

import numpy as np
import pandas as pd

from dermlab.data.stable import joined_groups, keyed_hash, ranked
from dermlab.run.errors import ContractError


def people_of(patient_id: pd.Series, copied: np.ndarray) -> np.ndarray:
    """str [N]: rows of one patient, and of patients who share a copy of a photo, bear one name, the first of their patients'.

    copied: int [N], rows of one number are copies of one photo. Or a copy would vouch for its copy in another fold.
    """
    joined = joined_groups(patient_id.to_numpy(dtype=object), copied)
    return patient_id.astype(str).groupby(joined).transform("min").to_numpy(dtype=str)


def patient_folds(labels: np.ndarray, groups: np.ndarray, classes: int, folds: int, seed: int, repeat: int = 0) -> np.ndarray:
    """int64 [N], 0..folds-1: the fold that holds each row out.

    labels: int [N] in 0..classes-1, the last of them `other`; groups: str [N], rows of one group (a patient, or patients who share
    a copy) lie in one fold. A group belongs to the stratum of its label that stands last, `other` before all; within a stratum groups
    are ranked by a keyed hash of seed, repeat and name, and the ranks are cut into `folds` runs of even length. So a group more or
    less moves only groups at the borders of one stratum. A stratum smaller than the folds is absent from some; which, the hash
    decides. Raises ContractError where fewer than two folds would hold a row.
    """
    place = (labels.astype(np.int64) + 1) % classes
    stratum_of: dict[str, int] = {}
    for group, at in zip(groups.tolist(), place.tolist(), strict=True):
        stratum_of[group] = max(at, stratum_of.get(group, 0))
    strata: dict[int, list[str]] = defaultdict(list)
    for group, stratum in stratum_of.items():
        strata[stratum].append(group)
    fold_of: dict[str, int] = {}
    for stratum, members in strata.items():
        turn = keyed_hash(seed, f"turn {repeat}", str(stratum))  # or the first fold would get every class that has a single patient
        for rank, group in enumerate(ranked(members, seed, f"fold {repeat}")):
            fold_of[group] = (rank * folds // len(members) + turn) % folds
    fold_of_row = np.array([fold_of[group] for group in groups.tolist()], dtype=np.int64)
    if len(np.unique(fold_of_row)) < 2:
        raise ContractError(f"{len(fold_of)} patient(s) cannot be shared out over {folds} folds. Lock a source with more of them.")
    return fold_of_row


def patients_per_class(labels: np.ndarray, patients: np.ndarray, classes: int) -> np.ndarray:
    """int [classes]: how many patients have a row of each class."""
    pairs = Counter(label for label, _ in set(zip(labels.tolist(), patients.tolist(), strict=True)))
    return np.array([pairs[c] for c in range(classes)], dtype=np.int64)
