"""The held-out fold of the training rows, for a network that is to predict what it has not seen."""

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.data.folds import patient_folds, people_of


def fold_of(train: pd.DataFrame, flags: pd.DataFrame, classes: Classes, fold: int, folds: int, seed: int) -> np.ndarray:
    """bool [N]: the rows of fold `fold`, 1..folds. train: image_id, patient_id, label; flags: image_id, duplicate_of.

    As for the flags, patients who share a copy of a photo lie in one fold: of copies `duplicate_of` names the first, over all splits.
    """
    ids = train["image_id"]
    copied = ids.map(flags.set_index("image_id")["duplicate_of"]).fillna(ids)
    people = people_of(train["patient_id"], copied.to_numpy(dtype=object))
    labels = classes.encode(train["label"], "data/catalog.parquet, column label")
    return patient_folds(labels, people, len(classes.names), folds, seed) == fold - 1
