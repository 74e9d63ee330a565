"""The predictions table, as the scores read it. Rows of `other` are not scored, and `other` is left out of the ranking."""

import numpy as np
import pandas as pd

from dermlab.data.classes import OTHER
from dermlab.data.shares import Shares, mean_of, several, whole
from dermlab.data.tables import CASE, PROB_PREFIX
from dermlab.run.errors import ContractError
from dermlab.scores.cases import Pooling, of_one_label, pooled
from dermlab.scores.headline import Tally, tally
from dermlab.scores.ranking import over_targets


def target_names(predictions: pd.DataFrame) -> tuple[str, ...]:
    """The K targets in label order, as the probability columns name them."""
    names = tuple(name.removeprefix(PROB_PREFIX) for name in predictions.columns if name.startswith(PROB_PREFIX))
    return tuple(name for name in names if name != OTHER)


def scored_rows(predictions: pd.DataFrame) -> pd.DataFrame:
    """The rows that count: those of the target classes, sorted by image_id."""
    return predictions[predictions["label"] != OTHER].sort_values("image_id", ignore_index=True)


def knows_patients(predictions: pd.DataFrame) -> bool:
    """False where each photo was taken for another person, since nobody could tell (`dermlab lock --no-patients`)."""
    return not (predictions["patient_id"] == predictions["image_id"]).all()


UNKNOWN_PATIENTS = (
    "Nobody knows which photos are of one patient: some may lie on both sides of the split, so that scores are too good, and intervals, "
    "which take each photo for another person, too narrow."
)


def labels_and_probs(scored: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """int [N] 0..K-1, and float64 [N, K] over the targets, rows sum to 1. Raises ContractError where there is nothing to score."""
    targets = target_names(scored)
    if PROB_PREFIX + OTHER not in scored:
        raise ContractError(f"The predictions have no column {PROB_PREFIX}{OTHER}. Where a model knows no such class, it is 0.")
    labels = pd.Categorical(scored["label"], categories=targets).codes.astype(np.int64)
    if not len(scored):
        raise ContractError("data/predictions.parquet holds no row of a target class. Run `dvc repro evaluate`.")
    if (labels < 0).any():
        unknown = scored["label"].iloc[int(np.argmax(labels < 0))]
        raise ContractError(f"data/predictions.parquet: label {unknown!r} has no probability column. Run `dvc repro evaluate`.")
    probs = scored[[PROB_PREFIX + name for name in (*targets, OTHER)]].to_numpy()
    wrong = ~np.isfinite(probs).all(1) | (probs < 0).any(1) | (probs.sum(1) <= 0)
    if wrong.any():
        who = scored["image_id"].iloc[int(np.argmax(wrong))]
        raise ContractError(
            f"{int(wrong.sum())} of {len(scored)} rows of the predictions hold no probabilities, first that of image {who}: they are at "
            "least 0 and some of them more. Logits go through a softmax first."
        )
    return labels, over_targets(probs)


def tally_by_patient(scored: pd.DataFrame) -> Tally:
    """The tally of each patient, [P, ...], patients in sorted order. `scored`: as of `scored_rows`. Raises ContractError for no row, or a
    label without a probability column."""
    labels, probs = labels_and_probs(scored)
    return tally(labels, probs, pd.factorize(scored["patient_id"], sort=True)[0])


def case_predictions(predictions: pd.DataFrame, pooling: Pooling) -> pd.DataFrame:
    """A row a case, as `tables.PREDICTIONS`: under the id of its first photo, with the label that all its photos bear, and where raters
    disagree the mean of what they said of each; cases whose photos differ in their labels are left out. predictions: as
    `tables.PREDICTIONS`, with cases."""
    known = predictions[of_one_label(predictions["label"].to_numpy(str), predictions[CASE].to_numpy(str))]
    columns = [name for name in known if name.startswith(PROB_PREFIX)]
    probs, first = pooled(known[columns].to_numpy(), known[CASE].to_numpy(str), pooling)
    cases = known.iloc[first].reset_index(drop=True)
    cases[columns] = probs
    if "labels" in known:
        given: dict[str, list[Shares]] = {}
        for case, of, label in zip(known[CASE], known["labels"], known["label"], strict=True):
            given.setdefault(case, []).append(of or whole(label))
        cases["labels"] = pd.Series([several(mean_of(given[case])) for case in cases[CASE]], cases.index, dtype=object)
    return cases.sort_values("image_id", ignore_index=True)
