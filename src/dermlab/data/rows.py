"""The rows in use: what the catalog says of an image, joined with where its pixels lie."""

from pathlib import Path

import pandas as pd

from dermlab.data.tables import CATALOG, IMAGES, read_table
from dermlab.run import paths
from dermlab.run.errors import ContractError


def read_rows(catalog: Path = paths.CATALOG, images: Path = paths.IMAGES) -> pd.DataFrame:
    """Columns of `tables.CATALOG` and `tables.IMAGES`, one row an image that was pulled, sorted by image_id.

    An image of the catalog that pull put into quarantine is no row. Raises ContractError for an image without a catalog row.
    """
    who, what = read_table(catalog, CATALOG), read_table(images, IMAGES)
    rows = who.merge(what, on="image_id", how="inner", validate="one_to_one").sort_values("image_id", ignore_index=True)
    if len(rows) != len(what):
        stray = what.loc[~what["image_id"].isin(who["image_id"]), "image_id"].iat[0]
        raise ContractError(
            f"{images} holds {len(what) - len(rows)} images that {catalog} does not know (first: {stray}). Run `dvc repro pull`."
        )
    return rows
