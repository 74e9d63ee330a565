"""Probabilities that somebody else made, checked before anything is reckoned from them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dermlab.data.tables import PREDICTIONS, PROB_PREFIX, read_table
from dermlab.run.errors import ContractError

TOLERANCE = 1e-3  # of the sum of a row: half precision and four decimals keep within it
NAMED = 3  # columns in a sentence
HOW = "Probabilities lie in 0..1 and sum to 1: put logits through a softmax, divide percent by 100"


def read_predictions(path: Path, names: Sequence[str] = ()) -> tuple[pd.DataFrame, np.ndarray]:
    """(the table as of `tables.PREDICTIONS`, float64 [N, K+1]), rows as in the file, columns in the order of `names`, the K+1 classes, or
    without them in the table's own. Raises ContractError for a table that is not that, for columns of other classes, and for the first row
    whose probabilities are none."""
    if not Path(path).is_file():
        raise ContractError(f"There is no file {path}. Name a Parquet table of predictions.")
    with open(path, "rb") as file:
        if file.read(4) != b"PAR1":
            raise ContractError(f"{path} is no Parquet. Of a CSV make one: pandas.read_csv(...).to_parquet(...).")
    table = read_table(path, PREDICTIONS)
    columns = [name for name in table.columns if name.startswith(PROB_PREFIX)]
    wanted = [PROB_PREFIX + name for name in names] or columns
    if absent := [name for name in wanted if name not in columns]:
        more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
        raise ContractError(f"{path} has no column {', '.join(absent[:NAMED])}{more}. One column a class is needed, `other` included.")
    if strange := [name for name in columns if name not in wanted]:
        raise ContractError(f"{path}, column {strange[0]}: there is no such class here. Leave it out, or name it as the class is named.")
    if not len(table) or not columns:
        what = "row" if columns else f"column {PROB_PREFIX}CLASS"
        raise ContractError(f"{path} holds no {what}. It must have a row a photo, and the probability of each class.")
    if words := [name for name in columns if not pd.api.types.is_numeric_dtype(table[name].dtype) or table[name].dtype == bool]:
        raise ContractError(f"{path}, column {words[0]}: is {table[words[0]].dtype}, must be numbers. {HOW}.")
    probs = table[wanted].to_numpy(np.float64)
    _check_values(probs, wanted, table["image_id"], str(path))
    return table, probs


def _check_values(probs: np.ndarray, columns: Sequence[str], image_ids: pd.Series, where: str) -> None:
    outside, sums = ~((probs >= 0) & (probs <= 1 + 1e-6)), probs.sum(axis=1)  # so that NaN is outside
    wrong = np.flatnonzero(outside.any(axis=1) | ~(np.abs(sums - 1) <= TOLERANCE))
    if not len(wrong):
        return
    row = int(wrong[0])
    column = int(outside[row].argmax())
    why = f"column {columns[column]} holds {probs[row, column]:.6g}" if outside[row].any() else f"they sum to {sums[row]:.6g}"
    raise ContractError(
        f"{where}, row {row}, image {image_ids.iat[row]}: the probabilities are no distribution: {why} ({len(wrong)} of {len(probs)} rows "
        f"are none). {HOW}."
    )
