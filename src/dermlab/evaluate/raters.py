"""What the test labels are worth where several raters gave them, and what of the score is left if any of them may be right."""

from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.data.shares import matrix
from dermlab.data.tables import CASE
from dermlab.scores.agreement import alpha, alpha_sums
from dermlab.scores.bootstrap import drawn_weights, interval
from dermlab.scores.predictions import labels_and_probs, scored_rows, target_names
from dermlab.scores.reference import reference_of, under_raters

DISPUTED = 2 / 3  # a label that has less of the opinions is disputed
SEED = 17


def by_raters(predictions: pd.DataFrame, rows: pd.DataFrame, classes: Classes, bootstrap: int) -> dict[str, Any]:
    """What metrics/evaluate.json says of raters; empty where each photo has one label. predictions: of the test split, as `PREDICTIONS`;
    rows: the catalog's, of the same photos; bootstrap: resamples of patients.

    `cases`, `several`, `disputed`: all, those with several labels, those whose label has less than DISPUTED of the opinions; `alpha`:
    Krippendorff's, over cases, where the source says what each rater gave. `top1`, `top3`: as `scores.reference.under_raters`, of the
    headline's rows.
    """
    scored = scored_rows(predictions)
    reference = reference_of(scored, target_names(scored))
    if "labels" not in rows or rows["labels"].isna().all():
        return {}
    of_case = rows.sort_values("image_id").drop_duplicates(CASE)
    largest = np.array([max(share for _, share in of) if of else 1.0 for of in of_case["labels"]])
    found: dict[str, Any] = {
        "cases": len(of_case),
        "several": int(of_case["labels"].notna().sum()),
        "disputed": int((largest < DISPUTED - 1e-9).sum()),
        "alpha": _alpha(of_case, classes, bootstrap),
    }
    if reference:
        labels, probs = labels_and_probs(scored)
        patient = pd.factorize(scored["patient_id"], sort=True)[0]
        found |= under_raters(labels, probs, patient, reference, bootstrap, SEED)
    return found


def _alpha(cases: pd.DataFrame, classes: Classes, bootstrap: int) -> dict[str, Any] | None:
    """`value` and `interval` over patients. None where nobody says how many raters there were, or none had a second."""
    shares, votes = matrix(cases["label"], cases["labels"], classes), cases["votes"].to_numpy(float)
    counts = shares * np.nan_to_num(votes)[:, None]
    whole = np.abs(counts - np.round(counts)).max(axis=1) < 1e-3  # of a differential in fractions nobody can say who agrees
    known = whole & (votes > 1)
    if known.sum() < 2:
        return None
    person, people = pd.factorize(cases["patient_id"][known])
    sums = np.zeros((len(people), counts.shape[1] + 1))
    np.add.at(sums, person, alpha_sums(np.round(counts[known])))
    value = float(alpha(sums.sum(axis=0)))
    if not np.isfinite(value):
        return None
    drawn = np.concatenate([alpha(weights @ sums) for weights in drawn_weights(len(people), bootstrap, SEED)])
    return {"value": value, "interval": interval(drawn, len(people), value)}
