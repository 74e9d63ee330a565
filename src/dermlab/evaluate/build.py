"""From test probabilities to the predictions table and the three metrics files."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import OTHER, Classes
from dermlab.data.errors import ContractError
from dermlab.data.tables import prob_columns
from dermlab.evaluate.calibration import calibration_bins, expected_calibration_error
from dermlab.evaluate.doubts import doubted
from dermlab.evaluate.scores import PerClass, auroc, confusion, over_targets, per_class, rarest_third, top_k


@dataclass(frozen=True)
class Evaluation:
    """`headline`: at most 8 numbers. `f1`: one a target class. `details`: everything else, for metrics/evaluate.json."""

    headline: dict[str, float]
    f1: dict[str, float]
    details: dict[str, Any]


def frozen_test_rows(catalog: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """The catalog's test rows, sorted by image_id. Raises ContractError unless the manifest holds each of them with its label and
    weight 1, and no others: test labels are frozen."""
    rows = catalog[catalog["split"] == "test"].sort_values("image_id", ignore_index=True)
    tested = manifest[manifest["split"] == "test"].set_index("image_id")
    label = rows["image_id"].map(tested["label"])
    changed = np.flatnonzero(((label != rows["label"]) | (rows["image_id"].map(tested["weight"]) != 1)).to_numpy())
    strangers = sorted(set(tested.index) - set(rows["image_id"]))
    if len(changed) or strangers:
        image = rows["image_id"][changed[0]] if len(changed) else strangers[0]
        raise ContractError(
            f"data/manifest.parquet: {len(changed) + len(strangers)} test row(s) are not as in the catalog (first: {image!r}). "
            "Test labels and weights are frozen; run `dvc repro manifest`."
        )
    return rows


def predictions_table(rows: pd.DataFrame, probs: np.ndarray, classes: Classes) -> pd.DataFrame:
    """rows: the test rows; probs: float [N, K+1]."""
    columns = pd.DataFrame(probs.astype(np.float32), columns=prob_columns(classes), index=rows.index)
    return pd.concat([rows[["image_id", "patient_id", "diagnosis", "label"]], columns], axis=1)


def evaluate(test_labels: pd.Series, probs: np.ndarray, train_labels: pd.Series, classes: Classes, ece_bins: int) -> Evaluation:
    """test_labels: names [N]; probs: float [N, K+1], rows sum to 1; train_labels: the catalog's names of all training rows.

    The headline speaks of the test rows of target classes, `other` left out of the ranking. The rarest third and the commonest
    class are taken from the catalog, not the manifest, so that they are the same for every variant. A mean over classes is over
    those with test rows. Raises ContractError without such rows or for a probability that is not finite.
    """
    if not np.isfinite(probs).all():
        raise ContractError("The model predicts probabilities that are not finite. Train it again, with a lower learning rate.")
    encoded = classes.encode(test_labels, "the test rows, column label")
    is_target = encoded != classes.other
    labels, targets = encoded[is_target], over_targets(probs[is_target])
    if not len(labels):
        raise ContractError("The test split has no row of a target class, so nothing can be scored. Check the source's splits.")
    counts = np.array([int((train_labels == name).sum()) for name in classes.targets])
    matrix = confusion(labels, targets.argmax(axis=1), classes.other)
    scores = per_class(matrix)
    tested = scores.support > 0
    rare = rarest_third(counts)
    sink = int(np.argmax(counts))
    bins = calibration_bins(labels, targets, ece_bins)
    headline = _headline(labels, targets, scores)
    if tested[rare].any():
        headline["rare_recall"] = float(scores.recall[rare][tested[rare]].mean())
    if tested[sink]:
        headline["sink_ratio"] = float(matrix[:, sink].sum() / matrix[sink].sum())
    headline["ece"] = expected_calibration_error(bins)

    name_of = dict(enumerate(classes.targets))
    details: dict[str, Any] = {
        "rows": {"test": len(encoded), "targets": len(labels), OTHER: int((~is_target).sum())},
        "rare_classes": [name_of[c] for c in rare.tolist()],
        "sink_class": name_of[sink],
        "classes_without_test_rows": [name_of[c] for c in np.flatnonzero(~tested).tolist()],
        "unflagged": _without_doubted(labels, targets, classes.other),
        "per_class": {
            name: {
                "precision": scores.precision[c],
                "recall": scores.recall[c],
                "f1": scores.f1[c],
                "support": int(scores.support[c]),
            }
            for c, name in name_of.items()
        },
        "calibration": bins,
        "confusion": {"classes": list(classes.targets), "matrix": matrix.tolist()},
    }
    if int((~is_target).sum()) > 0:
        details["other_auroc"] = auroc(~is_target, probs[:, classes.other])
    f1 = {name: round(float(scores.f1[c]), 4) for c, name in name_of.items()}
    return Evaluation({name: round(value, 4) for name, value in headline.items()}, f1, details)


def _headline(labels: np.ndarray, probs: np.ndarray, scores: PerClass) -> dict[str, float]:
    tested = scores.support > 0
    return {
        "top1": top_k(labels, probs, 1),
        "top3": top_k(labels, probs, 3),
        "macro_f1": float(scores.f1[tested].mean()),
        "balanced_accuracy": float(scores.recall[tested].mean()),
    }


def _without_doubted(labels: np.ndarray, probs: np.ndarray, classes: int) -> dict[str, float]:
    """The same scores without the test rows whose label the model doubts."""
    flagged = doubted(labels, probs)
    kept = ~flagged
    numbers: dict[str, float] = {"flagged": int(flagged.sum()), "rows": int(kept.sum())}
    if kept.any():
        scores = per_class(confusion(labels[kept], probs[kept].argmax(axis=1), classes))
        numbers |= _headline(labels[kept], probs[kept], scores)
    return numbers
