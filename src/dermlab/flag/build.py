"""The flags table and its numbers, from the catalog, the frozen features and the answers."""

from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.data.embeddings import Embeddings
from dermlab.data.errors import ContractError
from dermlab.data.params import FlagParams
from dermlab.data.questionnaire import Questionnaire
from dermlab.flag.duplicates import copies, groups_of_copies
from dermlab.flag.folds import patient_folds, patients_per_class
from dermlab.flag.issues import find_issues
from dermlab.flag.neighbours import nearest, outlier_score
from dermlab.flag.not_skin import not_skin_score
from dermlab.flag.probabilities import in_sample, out_of_fold
from dermlab.model.questionnaire import encode

CONFUSIONS = 20  # given -> suggested pairs kept in the numbers


def build_flags(
    catalog: pd.DataFrame, embeddings: Embeddings, classes: Classes, questions: Questionnaire, params: FlagParams
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """(the flags table, one row a training image, sorted by image_id; the numbers of metrics/flag.json).

    Copies are looked for over all splits, everything else among the training rows. Raises ContractError without training rows.
    """
    catalog = catalog.sort_values("image_id", ignore_index=True)
    train = (catalog["split"] == "train").to_numpy()
    rows = catalog[train].reset_index(drop=True)
    if not len(rows):
        raise ContractError("The catalog has no training rows. Check the source's `split` column.")
    every_feature = embeddings.of(catalog["image_id"])
    features = every_feature[train]
    labels = classes.encode(rows["label"], "data/catalog.parquet, column label")
    patients = rows["patient_id"].to_numpy(dtype=str)

    inputs = np.concatenate([features.astype(np.float32), encode(rows, questions)], axis=1)
    if params.probs == "oof":
        folds = patient_folds(labels, patients, params.folds, params.seed)
        probs = out_of_fold(inputs, labels, folds, len(classes.names), params.l2)
    else:
        probs = in_sample(inputs, labels, len(classes.names), params.l2)
    issues = find_issues(labels, probs)
    _, similarity = nearest(features, params.neighbours, patients)
    group, pairs = groups_of_copies(catalog["sha256"].to_numpy(), catalog["phash"].to_numpy(), every_feature, params.phash_bits)
    copied = copies(catalog, group)[train].reset_index(drop=True)

    names = np.array(classes.names, dtype=object)
    flags = pd.DataFrame(
        {
            "image_id": rows["image_id"],
            "given": rows["label"],
            "suggested": names[issues.suggested],
            "quality": issues.quality,
            "label_issue": issues.label_issue,
            "duplicate_of": copied["duplicate_of"],
            "outlier_score": outlier_score(similarity),
            "not_skin_score": not_skin_score(features),
            "leak": copied["leak"],
            "protected": np.isin(labels, rarest_third(labels, classes)),
        }
    )
    held = patients_per_class(labels, patients, len(classes.names))
    numbers = {
        "probs": params.probs,
        "log_loss": float(-np.log(np.clip(probs[np.arange(len(labels)), labels], 1e-7, 1)).mean()),
        "accuracy": float((issues.suggested == labels).mean()),
        "small_classes": {name: int(n) for name, n in zip(classes.names, held, strict=True) if n < params.folds},
        "near_duplicate_pairs": len(pairs),
        **summary(flags, classes),
    }
    if len(pairs):  # copies should bear one label; false duplicates do not
        label = catalog["label"].to_numpy()
        numbers["near_duplicates_agree"] = float((label[pairs[:, 0]] == label[pairs[:, 1]]).mean())
    return flags, numbers


def rarest_third(labels: np.ndarray, classes: Classes) -> np.ndarray:
    """The K // 3 (at least one) target classes with the fewest rows in `labels`, int [N]: what `protected` marks."""
    counts = np.bincount(labels, minlength=len(classes.names))[: classes.other]
    return np.argsort(counts, kind="stable")[: max(1, classes.other // 3)]


def summary(flags: pd.DataFrame, classes: Classes) -> dict[str, Any]:
    """Counts and rates of the flags table; no ids of patients or images."""
    flagged = flags["label_issue"]
    by_class = flagged.groupby(flags["given"]).mean()
    pairs = flags[flagged].groupby(["given", "suggested"]).size().sort_values(ascending=False, kind="stable")
    return {
        "rows": len(flags),
        "flagged": int(flagged.sum()),
        "flagged_rate": float(flagged.mean()),
        "flagged_rate_per_class": {name: float(by_class[name]) for name in classes.names if name in by_class},
        "confusions": [
            {"given": given, "suggested": suggested, "rows": int(n)} for (given, suggested), n in pairs.head(CONFUSIONS).items()
        ],
        "duplicates": int(flags["duplicate_of"].notna().sum()),
        "leaks": int(flags["leak"].sum()),
        "protected": int(flags["protected"].sum()),
    }
