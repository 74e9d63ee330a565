"""Train, val and test by patient, stratified by label; a new patient moves no old one but at a border."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dermlab.data.stable import joined_groups, ranked


def assign_splits(
    patient_id: pd.Series, etag: pd.Series, label: pd.Series, order: Sequence[str], test_fraction: float, val_fraction: float, seed: int
) -> np.ndarray:
    """str [N] of train, val, test; all rows of a patient get the same, and so do patients who share a byte-identical file (etag).

    A patient belongs to the stratum of the label that stands last in `order`, the commonest class first. Within a stratum patients
    are ranked by a keyed hash of seed and id: the first `test_fraction`, rounded, is test and `val_fraction` of the rest val, but at
    least one each where the stratum has three patients or more. One patient more or less therefore moves at most the patients at
    the two borders of one stratum. A `test_fraction` of 0 draws no test at all: the source has one.
    """
    patients = patient_id.to_numpy(dtype=str)
    group = joined_groups(patients, etag.to_numpy(dtype=object))
    position = {name: place for place, name in enumerate(order)}
    table = pd.DataFrame({"group": group, "patient": patients, "place": [position[name] for name in label]})
    by_group = table.groupby("group").agg(patient=("patient", "min"), place=("place", "max"))
    strata: dict[int, list[str]] = defaultdict(list)
    for patient, place in by_group.itertuples(index=False):
        strata[place].append(patient)
    split_of: dict[str, str] = {}
    for members in strata.values():
        least = 1 if len(members) >= 3 else 0
        test = max(round(len(members) * test_fraction), least) if test_fraction else 0
        val = max(round((len(members) - test) * val_fraction), least)
        for place, patient in enumerate(ranked(members, seed, "split")):
            split_of[patient] = "test" if place < test else "val" if place < test + val else "train"
    return table["group"].map(by_group["patient"].map(split_of)).to_numpy(dtype=object)
