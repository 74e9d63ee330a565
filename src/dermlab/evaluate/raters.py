"""What the test labels are worth where several raters gave them, and what of the score is left if any of them may be right."""

from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.tables import CASE
from dermlab.scores.agreement import alpha, alpha_sums
from dermlab.scores.bootstrap import drawn_weights, interval
from dermlab.scores.predictions import labels_and_probs, scored_rows, target_names
from dermlab.scores.reference import reference_of, under_raters

DISPUTED = 2 / 3  # a label that has less of the opinions is disputed
SEED = 17


def by_raters(predictions: pd.DataFrame, rows: pd.DataFrame, bootstrap: int) -> dict[str, Any]:
    """What metrics/evaluate.json says of raters; empty where each photo has one label. predictions: of the test split, as `PREDICTIONS`;
    rows: the catalog's, of the same photos; bootstrap: resamples of patients.

    `cases`, `several`, `disputed`: all, those of which a photo has several labels, those of which one's label has less than DISPUTED of the
    opinions; `alpha`: Krippendorff's, over what was labelled together, where the source says what each rater gave. `top1`,
    `top3`: as `scores.reference.under_raters`, of the headline's rows.
    """
    scored = scored_rows(predictions)
    reference = reference_of(scored, target_names(scored))
    if "labels" not in rows or rows["labels"].isna().all():
        return {}
    own = np.array([dict(of).get(label, 0.0) if of else 1.0 for of, label in zip(rows["labels"], rows["label"], strict=True)])
    of_case = pd.DataFrame({"several": rows["labels"].notna(), "disputed": own < DISPUTED - 1e-9}).groupby(rows[CASE].to_numpy()).any()
    found: dict[str, Any] = {
        "cases": len(of_case),
        **{name: int(of_case[name].sum()) for name in ("several", "disputed")},
        "alpha": _alpha(rows, bootstrap) if "raters" in rows else None,
    }
    if reference:
        labels, probs = labels_and_probs(scored)
        patient = pd.factorize(scored["patient_id"], sort=True)[0]
        found |= under_raters(labels, probs, patient, reference, bootstrap, SEED)
    return found


def _alpha(rows: pd.DataFrame, bootstrap: int) -> dict[str, Any] | None:
    """`value` and `interval` over patients; None where no unit has a second rater. Photos of one case that all raters label alike are one
    unit: they were labelled in one act."""
    units = rows[rows["raters"].notna()].drop_duplicates([CASE, "raters"])
    if not len(units):
        return None
    said = units["raters"].map(lambda of: [label for _, label in of]).explode()
    counts = pd.crosstab(said.index, said.to_numpy()).reindex(units.index)
    person, people = pd.factorize(units["patient_id"])
    sums = np.zeros((len(people), counts.shape[1] + 1))
    np.add.at(sums, person, alpha_sums(counts.to_numpy()))
    value = float(alpha(sums.sum(axis=0)))
    if not np.isfinite(value):
        return None
    drawn = np.concatenate([alpha(weights @ sums) for weights in drawn_weights(len(people), bootstrap, SEED)])
    return {"value": value, "interval": interval(drawn, len(people), value)}
