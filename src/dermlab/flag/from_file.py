"""Probabilities made elsewhere, say by k fine-tuned networks, each predicting the fold it did not see (`dermlab out-of-fold`).

DVC does not watch the file, so the param names its content: `flag.probs: data/oof.parquet@3fa9c1d2a7b0`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.data.predictions import read_predictions
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
    table, probs = read_predictions(Path(path), classes.names)
    place = pd.Series(np.arange(len(table)), index=table["image_id"]).reindex(rows["image_id"])
    if missing := rows.loc[place.isna().to_numpy(), "image_id"].tolist():
        raise ContractError(f"{path} has no probabilities of {len(missing)} of {len(rows)} training rows (first: {missing[0]}).")
    taken = place.to_numpy(int)
    stale = np.flatnonzero(table["label"].to_numpy()[taken] != rows["label"].to_numpy())
    if len(stale):
        raise ContractError(
            f"{path}: {len(stale)} rows bear another label than data/catalog.parquet (first: {rows['image_id'].iat[stale[0]]}). Their "
            "classifiers were trained on other labels; predict again."
        )
    of_rows = probs[taken].astype(np.float32)
    return OutOfFoldProbabilities(of_rows[None], of_rows[None], None)
