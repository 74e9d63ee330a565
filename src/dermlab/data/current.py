"""Whether the tables that stages left are of the source that is locked now, and not of one before."""

import pandas as pd

from dermlab.data.rows import read_rows
from dermlab.data.tables import CASE, CATALOG, SOURCE_MANIFEST, read_table
from dermlab.run import paths
from dermlab.run.errors import ContractError


def is_of_the_source(catalog: pd.DataFrame) -> bool:
    """Where the pin is not there, nobody knows otherwise."""
    path, columns = paths.SOURCE / "manifest.parquet", ["image_id", "diagnosis", CASE]
    return not path.exists() or read_table(path, SOURCE_MANIFEST)[columns].equals(catalog[columns])


def read_current_rows() -> pd.DataFrame:
    """As `read_rows`. Raises ContractError where another source, or other labels, were locked since: what is shown to a person would be of
    photos, classes and flags that are not of one another."""
    if not is_of_the_source(read_table(paths.CATALOG, CATALOG)):
        raise ContractError(f"{paths.SOURCE} was locked anew since {paths.CATALOG} was made. Run `dvc repro flag`, then this again.")
    return read_rows()
