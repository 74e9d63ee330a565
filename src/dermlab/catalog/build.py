"""From the pin to the catalog, to what is wanted of the source, and to the truth, where the source knows it."""

from dataclasses import dataclass

import pandas as pd

from dermlab.catalog.noise import with_noise
from dermlab.catalog.params import CatalogParams
from dermlab.catalog.splits import assign_splits
from dermlab.data.classes import OTHER
from dermlab.data.pin import Pin
from dermlab.data.questionnaire import PREFIX
from dermlab.data.shares import renamed, several
from dermlab.data.tables import NOTE_PREFIX
from dermlab.run.errors import ContractError


@dataclass(frozen=True)
class Catalogued:
    """Each one row an image, as the tables of their names."""

    catalog: pd.DataFrame
    wanted: pd.DataFrame
    truth: pd.DataFrame


def build_catalog(pin: Pin, params: CatalogParams) -> Catalogued:
    """Raises ContractError where a class has no training row."""
    manifest, classes = pin.manifest, pin.classes
    carried = [c for c in manifest.columns if c.startswith((PREFIX, NOTE_PREFIX))]
    catalog = manifest[["image_id", "patient_id", "case_id", "diagnosis", "split", *carried]].copy()
    catalog["label"] = catalog["diagnosis"].map(classes.label_of)
    if "diagnoses" in manifest:
        catalog["labels"] = [several(renamed(shares, classes.label_of)) for shares in manifest["diagnoses"]]
        catalog["votes"] = manifest["votes"]
    if "raters" in manifest:
        catalog["raters"] = [said and tuple((rater, classes.label_of(of)) for rater, of in said) for said in manifest["raters"]]
    if "val" not in set(given := catalog["split"]):  # of a source without splits, or with train and test alone, as most public ones
        drawn, order = given != "test", (OTHER, *classes.targets)
        catalog.loc[drawn, "split"] = assign_splits(
            catalog.loc[drawn, "patient_id"],
            manifest.loc[drawn, "etag"],
            catalog.loc[drawn, "label"],
            order,
            params.test_fraction if given.isna().all() else 0,
            params.val_fraction,
            params.seed,
        )
    trained = set(catalog.loc[catalog["split"] == "train", "label"])
    if empty := [name for name in classes.targets if name not in trained]:
        raise ContractError(
            f"No training image is labelled {', '.join(empty)}. Nothing could be learnt of an empty class: "
            "add images or patients, or lock the source with a higher --min-class-count so that it joins `other`."
        )
    catalog, truth = with_noise(catalog, pin.truth, classes, params)
    return Catalogued(catalog, manifest[["image_id", "key", "size", "etag"]], truth)
