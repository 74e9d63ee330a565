"""Train, val and test by patient, stratified by label."""

import numpy as np
import pandas as pd


def assign_splits(patient_id: pd.Series, label: pd.Series, test_fraction: float, val_fraction: float, seed: int) -> np.ndarray:
    """str [N] of train, val, test; all rows of a patient get the same.

    A patient with several labels counts for the rarest. Of every label, `test_fraction` of its patients are test and
    `val_fraction` of the rest val, rounded, but at least one each where the label has three patients or more.
    """
    rarity = label.map(label.value_counts())
    rarest = (
        pd.DataFrame({"patient": patient_id.to_numpy(), "label": label.to_numpy(), "rarity": rarity.to_numpy()})
        .sort_values(["patient", "rarity", "label"])
        .drop_duplicates("patient")
    )
    split_of: dict[str, str] = {}
    rng = np.random.default_rng([seed, 0])
    for _, patients in rarest.groupby("label", sort=True)["patient"]:
        shuffled = rng.permutation(patients.to_numpy())
        least = 1 if len(shuffled) >= 3 else 0
        test = max(round(len(shuffled) * test_fraction), least)
        val = max(round((len(shuffled) - test) * val_fraction), least)
        for position, patient in enumerate(shuffled):
            split_of[patient] = "test" if position < test else "val" if position < test + val else "train"
    return patient_id.map(split_of).to_numpy(dtype=object)
