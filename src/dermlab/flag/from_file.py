"""Probabilities made elsewhere, say by k fine-tuned networks, each predicting the fold it did not see (`dermlab out-of-fold`).

DVC does not watch the file, so the param names its content: `flag.probs: data/oof.parquet@3fa9c1d2a7b0`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.data.tables import PREDICTIONS, prob_columns, read_table
from dermlab.flag.probabilities import OutOfFoldProbabilities
from dermlab.run.errors import ContractError, ParamsError
from dermlab.run.files import named_by_content


def read_probabilities(value: str, rows: pd.DataFrame, classes: Classes) -> OutOfFoldProbabilities:
    """Of one draw, one row a training row of `rows` (image_id, label), in its order.

    value: PATH@DIGEST. The file is a predictions table; rows of other images are ignored. Raises ParamsError for a file that is
    missing or is not the one named, ContractError where it does not cover every training row with its label and with
    probabilities that sum to 1.
    """
    path, _, digest = value.partition("@")
    if not Path(path).is_file():
        raise ParamsError(f"flag.probs: there is no file {path}. Copy it there, make it with `dermlab out-of-fold`, or use `oof`.")
    named = named_by_content(path)
    if value != named:
        said = f"is not the file named by @{digest}" if digest else "must be named with its content"
        raise ParamsError(f"flag.probs: {path} {said}. If it is the right one: -S flag.probs={named}")
    table = read_table(Path(path), PREDICTIONS).set_index("image_id")
    missing = rows.loc[~rows["image_id"].isin(table.index), "image_id"]
    if len(missing):
        raise ContractError(f"{path} has no probabilities of {len(missing)} of {len(rows)} training rows (first: {missing.iat[0]}).")
    columns = prob_columns(classes)
    if absent := [name for name in columns if name not in table]:
        raise ContractError(f"{path} has no column {', '.join(absent)}. One column a class is needed, `other` included.")
    table = table.loc[rows["image_id"]]
    stale = np.flatnonzero(table["label"].to_numpy() != rows["label"].to_numpy())
    if len(stale):
        raise ContractError(
            f"{path}: {len(stale)} rows bear another label than data/catalog.parquet (first: {table.index[stale[0]]}). Their "
            "classifiers were trained on other labels; predict again."
        )
    probs = table[columns].to_numpy(np.float32)
    wrong = np.flatnonzero(~(np.abs(probs.sum(axis=1) - 1) < 1e-3) | (probs < 0).any(axis=1))
    if len(wrong):
        raise ContractError(f"{path}, image {table.index[wrong[0]]}: the probabilities are no distribution ({len(wrong)} such rows).")
    return OutOfFoldProbabilities(probs[None], probs[None], None)
