"""From test probabilities to the predictions table and the three metrics files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import OTHER, Classes
from dermlab.data.tables import CASE, HELD_OUT_FOLD, prob_columns
from dermlab.evaluate.doubts import doubted
from dermlab.model.saved import TrainedModel
from dermlab.run.errors import ContractError
from dermlab.run.files import atomic_path
from dermlab.scores.adjustment import TAUS, adjusted, two_aims
from dermlab.scores.calibration import calibration_bins, expected_calibration_error
from dermlab.scores.counts import confusion, f1, precision, recall
from dermlab.scores.headline import Tally, headline, tally
from dermlab.scores.one_vs_rest import auroc, one_vs_rest
from dermlab.scores.ranking import over_targets
from dermlab.scores.rare import commonest, rarest_third, rows_per_class

GIVEN_TWICE = ("top1", "top3", "macro_f1", "balanced_accuracy")  # with and without the test rows that the model doubts


@dataclass(frozen=True)
class Evaluation:
    headline: dict[str, float]  # at most 8 numbers
    f1: dict[str, float]  # one a target class
    details: dict[str, Any]  # everything else, for metrics/evaluate.json


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


def held_out_fold_rows(catalog: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """The catalog's rows that the manifest holds out of training, with their labels as given, sorted by image_id; mostly none."""
    of_fold = manifest.loc[manifest["split"] == HELD_OUT_FOLD, "image_id"]
    return catalog[catalog["image_id"].isin(of_fold)].sort_values("image_id", ignore_index=True)


def predictions_table(rows: pd.DataFrame, probs: np.ndarray, classes: Classes) -> pd.DataFrame:
    """rows: of the catalog; probs: float [N, K+1]."""
    columns = pd.DataFrame(probs.astype(np.float32), columns=prob_columns(classes), index=rows.index)
    opinions = [name for name in ("labels", "votes") if name in rows]
    return pd.concat([rows[["image_id", "patient_id", CASE, "diagnosis", "label", *opinions]], columns], axis=1)


def evaluate(test_labels: pd.Series, probs: np.ndarray, train_labels: pd.Series, classes: Classes, ece_bins: int) -> Evaluation:
    """test_labels: names [N]; probs: float [N, K+1], rows sum to 1; train_labels: the catalog's names of all training rows.

    The headline speaks of the test rows of target classes, `other` left out of the ranking; each score is defined in dermlab.scores.
    The rarest third and the commonest class are taken from the catalog, not the manifest, so that they are the same for every variant.
    A score that does not exist is left out. Raises ContractError without such rows or for a probability that is not finite.
    """
    if not np.isfinite(probs).all():
        raise ContractError("The model predicts probabilities that are not finite. Train it again, with a lower learning rate.")
    probs = probs.astype(np.float32)  # as the predictions table holds them, so that whoever reads it counts the same
    encoded = classes.encode(test_labels, "the test rows, column label")
    is_target = encoded != classes.other
    labels, targets = encoded[is_target], over_targets(probs[is_target])
    if not len(labels):
        raise ContractError("The test split has no row of a target class, so nothing can be scored. Check the source's splits.")
    rare, sink = rare_and_sink(train_labels, classes)
    tallied, bins = tally(labels, targets), calibration_bins(labels, targets, ece_bins)

    name_of = dict(enumerate(classes.targets))
    details: dict[str, Any] = {
        "rows": {"test": len(encoded), "targets": len(labels), OTHER: int((~is_target).sum())},
        "rare_classes": [name_of[c] for c in rare.tolist()],
        "sink_class": name_of[sink],
        "classes_without_test_rows": [name_of[c] for c in np.flatnonzero(tallied.true == 0).tolist()],
        "unflagged": _without_doubted(labels, targets, rare, sink),
        "per_class": _per_class(tallied, one_vs_rest(labels, targets), classes),
        "calibration": bins,
        "ece": expected_calibration_error(bins),
        "confusion": {"classes": list(classes.targets), "matrix": confusion(labels, targets.argmax(axis=1), classes.other).tolist()},
    }
    if not is_target.all():
        details["other_auroc"] = _auroc_of_other(is_target, probs)
    rounded = {name: round(float(value), 4) for name, value in headline(tallied, rare, sink).items() if np.isfinite(value)}
    return Evaluation(rounded, {name: round(scores["f1"], 4) for name, scores in details["per_class"].items()}, details)


def rare_and_sink(train_labels: pd.Series, classes: Classes) -> tuple[np.ndarray, int]:
    """The rarest third of the targets and the commonest one. train_labels: the catalog's names of all training rows, the same for every
    variant."""
    rows = rows_per_class(classes.encode(train_labels, "the training rows, column label"), classes.other)
    return rarest_third(rows), commonest(rows)


def curve(test_labels: pd.Series, probs: np.ndarray, model: TrainedModel) -> list[dict[str, float]]:
    """Top-1 and balanced accuracy for each tau of the post-hoc adjustment. probs: float [N, K+1], not adjusted."""
    labels = model.classes.encode(test_labels, "the test rows, column label")
    if not (labels < model.classes.other).any():
        return []
    points = [(tau, two_aims(labels, adjusted(probs, model.prior, tau, model.calibration.temperature))) for tau in TAUS]
    return [{"tau": tau, "top1": first, "balanced_accuracy": second} for tau, (first, second) in points]


def write_plots(details: dict[str, Any], folder: Path) -> None:
    """What `dvc plots` draws, a CSV each: `confusion`, a row a test image, and `reliability`, a row a bin. details: of an Evaluation."""
    names, counts = details["confusion"]["classes"], details["confusion"]["matrix"]
    pairs = [(true, said) for true, row in zip(names, counts, strict=True) for said, n in zip(names, row, strict=True) for _ in range(n)]
    bins = [(round(row["confidence"], 4), round(row["accuracy"], 4), row["rows"]) for row in details["calibration"]]
    with atomic_path(folder) as unfinished:
        unfinished.mkdir()
        pd.DataFrame(pairs, columns=["actual", "predicted"]).to_csv(unfinished / "confusion.csv", index=False)
        pd.DataFrame(bins, columns=["confidence", "right", "images"]).to_csv(unfinished / "reliability.csv", index=False)


def _per_class(tallied: Tally, against_others: list[dict[str, float]], classes: Classes) -> dict[str, dict[str, float]]:
    """A class without test rows has recall and F1 0 here, for a metrics file holds no NaN; `support` tells."""
    scores = {"precision": precision(tallied), "recall": np.nan_to_num(recall(tallied)), "f1": np.nan_to_num(f1(tallied))}
    return {
        name: {**{score: float(values[c]) for score, values in scores.items()}, "support": int(tallied.true[c]), **against_others[c]}
        for c, name in enumerate(classes.targets)
    }


def _without_doubted(labels: np.ndarray, probs: np.ndarray, rare: np.ndarray, sink: int) -> dict[str, float]:
    """The same scores without the test rows whose label the model doubts."""
    kept = ~doubted(labels, probs)
    numbers: dict[str, float] = {"flagged": int((~kept).sum()), "rows": int(kept.sum())}
    if kept.any():
        scores = headline(tally(labels[kept], probs[kept]), rare, sink)
        numbers |= {name: float(scores[name]) for name in GIVEN_TWICE}
    return numbers


def _auroc_of_other(is_target: np.ndarray, probs: np.ndarray) -> float:
    """How well p(other) tells `other` from the targets; both must be there."""
    return auroc(~is_target, probs[:, -1])
