"""The flags of all training rows, from the catalog and the frozen features."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.data.embeddings import Embeddings
from dermlab.data.params import FlagParams
from dermlab.data.questionnaire import Questionnaire
from dermlab.flag.duplicates import duplicates_and_leaks, same_photo
from dermlab.flag.folds import small_classes
from dermlab.flag.neighbours import distance_from_centre, nearest, outlier_scores
from dermlab.flag.probabilities import held_out, in_sample
from dermlab.model.questionnaire import encode

TOP_CONFUSIONS = 20


@dataclass(frozen=True)
class Flagged:
    """`flags`: columns of `tables.FLAGS`. `numbers`: what `metrics/flag.json` holds."""

    flags: pd.DataFrame
    numbers: dict


def flag(catalog: pd.DataFrame, embeddings: Embeddings, classes: Classes, questions: Questionnaire, params: FlagParams) -> Flagged:
    """Label issues by confident learning (Northcutt et al. 2021) on held-out probabilities, photos that occur twice, leaks
    across splits, outliers. Only training rows are flagged; no test label is ever judged here."""
    features = embeddings.of(catalog["image_id"])
    duplicate_of, leak = duplicates_and_leaks(catalog, same_photo(catalog, features, params.phash_bits))
    is_train = (catalog["split"] == "train").to_numpy()
    train = catalog[is_train].reset_index(drop=True)
    frozen = features[is_train]
    labels = classes.encode(train["label"], "data/catalog.parquet")
    inputs = np.concatenate([frozen.astype(np.float32), encode(train, questions)], axis=1)
    if params.probs == "oof":
        probs = held_out(inputs, labels, train["patient_id"], len(classes.names), params.folds, params.l2, params.seed)
    else:
        probs = in_sample(inputs, labels, len(classes.names), params.l2)
    issue, quality = label_issues(labels, probs)
    patient = pd.factorize(train["patient_id"])[0]
    counts = np.bincount(labels, minlength=len(classes.names))
    rare = np.argsort(counts[: classes.other], kind="stable")[: max(1, classes.other // 3)]
    names = np.array(classes.names, dtype=object)
    flags = pd.DataFrame(
        {
            "image_id": train["image_id"],
            "given": train["label"],
            "suggested": names[probs.argmax(1)],
            "quality": quality,
            "label_issue": issue,
            "duplicate_of": duplicate_of[is_train].to_numpy(),
            "outlier_score": outlier_scores(nearest(frozen, frozen, params.neighbours, patient)[0]),
            "not_skin_score": distance_from_centre(frozen),
            "leak": leak[is_train].to_numpy(),
            "protected": np.isin(labels, rare),
        }
    )
    return Flagged(flags, _numbers(flags, classes, params, small_classes(train["patient_id"], labels, params.folds)))


def label_issues(labels: np.ndarray, probs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """bool [N]: cleanlab's confident-learning issues; float32 [N] in 0..1: its normalised margin, low for a doubtful label.

    Classes without a row are left out for cleanlab, which wants every class to occur.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    present, dense = np.unique(labels, return_inverse=True)
    kept = probs[:, present].astype(np.float64)
    kept /= np.maximum(kept.sum(1, keepdims=True), 1e-30)
    issue = find_label_issues(dense, kept, filter_by="confident_learning", n_jobs=1)
    quality = get_label_quality_scores(dense, kept, method="normalized_margin")
    return issue, np.clip(quality, 0, 1).astype(np.float32)


def _numbers(flags: pd.DataFrame, classes: Classes, params: FlagParams, small: list[int]) -> dict:
    flagged = flags[flags["label_issue"]]
    per_class = flags.groupby("given")["label_issue"].agg(["size", "sum"])
    confusions = flagged.groupby(["given", "suggested"]).size().reset_index(name="count")
    confusions = confusions.sort_values(["count", "given", "suggested"], ascending=[False, True, True]).head(TOP_CONFUSIONS)
    return {
        "probs": params.probs,
        "rows": len(flags),
        "flagged": len(flagged),
        "flagged_rate": len(flagged) / len(flags),
        "per_class": {
            name: {"rows": int(row["size"]), "flagged": int(row["sum"]), "rate": row["sum"] / row["size"]}
            for name, row in per_class.iterrows()
        },
        "confusions": confusions.to_dict("records"),
        "duplicates": int(flags["duplicate_of"].notna().sum()),
        "leaks": int(flags["leak"].sum()),
        "small_classes": [classes.names[c] for c in small],
    }
