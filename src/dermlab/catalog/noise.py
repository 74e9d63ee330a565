"""Labels made wrong on purpose, so that flags and policies can be scored on a source that does not know its own errors."""

import numpy as np
import pandas as pd

from dermlab.catalog.params import CatalogParams
from dermlab.data.classes import OTHER, Classes


def with_noise(catalog: pd.DataFrame, truth: pd.DataFrame, classes: Classes, params: CatalogParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(catalog with `params.noise_rate` of the target training labels wrong, truth of every row); both as they came at rate 0.

    Whole cases get a wrong label, as in life: the photos of a case are labelled in one act. Kind `uniform` draws any other target
    class, `pairs` takes the class after the true one in label order (the last one takes the first), so that the commonest class
    pollutes the second, and so on down to the rare ones. Val and test labels stay: they are what others are measured by.
    """
    if not params.noise_rate:
        return catalog, truth
    rng = np.random.default_rng([params.seed, 1])
    labels, cases = catalog["label"].to_numpy(dtype=object), catalog["case_id"].to_numpy(dtype=object)
    eligible = ((catalog["split"] == "train") & (catalog["label"] != OTHER)).to_numpy()
    sizes = pd.Series(cases[eligible]).value_counts().sort_index()
    order = rng.permutation(sizes.index.to_numpy(dtype=object))
    chosen = order[np.cumsum(sizes[order].to_numpy()) <= round(params.noise_rate * int(eligible.sum()))]
    steps = np.ones(len(chosen), dtype=int) if params.noise_kind == "pairs" else rng.integers(1, classes.other, len(chosen))
    step_of = pd.Series(cases).map(dict(zip(chosen, steps.tolist(), strict=True))).to_numpy()
    changed = eligible & pd.notna(step_of)
    noisy = labels.copy()
    moved = (classes.encode(labels[changed]) + step_of[changed].astype(int)) % classes.other
    noisy[changed] = np.array(classes.targets, dtype=object)[moved]
    truth = _truth(catalog, truth, noisy, changed)
    catalog = catalog.assign(label=noisy, diagnosis=np.where(changed, noisy, catalog["diagnosis"]))
    for opinions in {"labels", "votes", "raters"} & set(
        catalog.columns
    ):  # of which changed rows have none, and so would give themselves away
        catalog[opinions] = catalog[opinions].where((catalog["split"] != "train").to_numpy(), None)
    return catalog, truth


def _truth(catalog: pd.DataFrame, truth: pd.DataFrame, noisy: np.ndarray, changed: np.ndarray) -> pd.DataFrame:
    """The source's truth, or, where it has none, the labels as they came; changed rows are `mislabeled`, or `clean` by luck."""
    if truth.empty:
        truth = pd.DataFrame({"image_id": catalog["image_id"], "true_label": catalog["label"], "kind": "clean", "duplicate_of": None})
    label_now = pd.Series(noisy[changed], index=catalog.loc[changed, "image_id"])
    now = truth["image_id"].map(label_now)
    garbage = truth["kind"].isin(("document", "no_skin", "wrong_part"))
    kind = np.where(now == truth["true_label"], "clean", "mislabeled")
    return truth.assign(kind=truth["kind"].where(now.isna() | garbage, kind))
