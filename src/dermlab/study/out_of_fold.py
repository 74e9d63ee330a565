"""The folds of a study joined: for every training row the probabilities of a network that has not seen it, for `flag.probs`."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dermlab.data.rows import read_rows
from dermlab.data.tables import PREDICTIONS, PROB_PREFIX, read_table
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.files import sha256_file
from dermlab.run.params import changed_params
from dermlab.study.recipe import HELD_OUT, NO_FOLD
from dermlab.verdict.runs import LOCK, check_params_were_run, fetch, read_yaml

FILES = (paths.PARAMS, LOCK, paths.CATALOG, paths.IMAGES, paths.HELD_OUT)
SEED = "seed"


@dataclass(frozen=True)
class OutOfFold:
    table: pd.DataFrame  # as `tables.PREDICTIONS`, a row a training row
    # `log_loss`, `accuracy`: of the labels as given, as in metrics/flag.json
    log_loss: float
    accuracy: float


@dataclass(frozen=True)
class _Fold:
    name: str
    params: dict
    data: tuple[str, str]  # digests of catalog and images
    train: pd.Series  # ids of the training rows
    predicted: pd.DataFrame

    @property
    def held_out(self) -> str:
        return self.params["manifest"].get("held_out", NO_FOLD)


def out_of_fold(names: Sequence[str], repo: Path | str = ".") -> OutOfFold:
    """Experiments that each hold out one fold, read from the DVC cache or the remote; of several seeds, each of which draws folds of its
    own, the mean. Raises ContractError where they differ in more than fold and seed, or a seed's folds do not hold each training row once.
    """
    folds = [_read(name, Path(repo)) for name in names]
    first = folds[0]
    for fold in folds:
        _check_is_of_the_same_study(first, fold)
    for seed in dict.fromkeys(fold.params[SEED] for fold in folds):
        _check_each_row_once(seed, [fold for fold in folds if fold.params[SEED] == seed])
    every = pd.concat([fold.predicted for fold in folds])
    probs = every.filter(regex=f"^{PROB_PREFIX}").groupby(every["image_id"]).mean()
    who = every.drop(columns=probs.columns).drop_duplicates("image_id")
    table = who.merge(probs, on="image_id", validate="one_to_one").sort_values("image_id", ignore_index=True)
    names, values = np.array([name.removeprefix(PROB_PREFIX) for name in probs]), table[probs.columns].to_numpy()
    right = names == table["label"].to_numpy(dtype=str)[:, None]
    log_loss = -np.log(np.clip(values[right], 1e-7, 1)).mean()
    return OutOfFold(table, float(log_loss), float((names[values.argmax(axis=1)] == table["label"]).mean()))


def _read(name: str, repo: Path) -> _Fold:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        fetch(name, repo, folder, FILES)
        params = read_yaml(folder / paths.PARAMS)
        check_params_were_run(params, read_yaml(folder / LOCK))
        rows = read_rows(folder / paths.CATALOG, folder / paths.IMAGES)
        data = sha256_file(folder / paths.CATALOG), sha256_file(folder / paths.IMAGES)
        predicted = read_table(folder / paths.HELD_OUT, PREDICTIONS)
        return _Fold(name, params, data, rows.loc[rows["split"] == "train", "image_id"], predicted)


def _check_is_of_the_same_study(first: _Fold, fold: _Fold) -> None:
    todo = "Run the folds again from one commit: `dermlab study oof-finetuned`."
    if fold.held_out == NO_FOLD:
        raise ContractError(f"{fold.name} has no held-out fold ({HELD_OUT} is {NO_FOLD}), so it predicts no training row. {todo}")
    changed = {key: values for key, values in changed_params(first.params, fold.params).items() if key not in (HELD_OUT, SEED)}
    if changed:
        said = "; ".join(f"{key}={one}, not {other}" for key, (other, one) in list(changed.items())[:3])
        raise ContractError(f"{fold.name} is of another study than {first.name}: {said}. {todo}")
    if fold.data != first.data:
        raise ContractError(f"{fold.name} was made from another catalog or other images than {first.name}. {todo}")


def _check_each_row_once(seed: int, folds: Sequence[_Fold]) -> None:
    predicted = pd.concat([fold.predicted["image_id"] for fold in folds])
    held_out = f"with seed {seed} the experiments hold out {', '.join(f'{fold.held_out} ({fold.name})' for fold in folds)}"
    twice, train = predicted[predicted.duplicated()], folds[0].train
    if len(twice):
        raise ContractError(f"{len(twice)} training rows are predicted twice (first: {twice.iat[0]}): {held_out}. Name each fold once.")
    missing = train[~train.isin(predicted)]
    if len(missing):
        raise ContractError(
            f"{len(missing)} of {len(train)} training rows are predicted by none (first: {missing.iat[0]}): {held_out}. Run the folds that "
            "are missing."
        )
