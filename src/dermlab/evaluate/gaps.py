"""For whom the model is worse, and whose photos it refuses: gaps between groups of patients on the test split."""

from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.scores.attributes import alike, attributes, texts
from dermlab.scores.counts import sum_by
from dermlab.scores.familiarity import Familiarity
from dermlab.scores.gaps import gap_intervals, gaps
from dermlab.scores.proportions import share_interval
from dermlab.scores.ranking import over_targets


def gaps_on_test(rows: pd.DataFrame, probs: np.ndarray, classes: Classes) -> dict[str, Any]:
    """`groups`: of each group of each attribute that parts the patients photos, patients, the `gap` of its top-1 to all others at its mix
    of diagnoses, and the `interval`, which holds together with all others of the list; both None where too few patients tell.
    `alike`: the attributes that have one value, or none; `texts`: those of too many values for groups. Empty without attributes. rows: the
    test rows with their answers; probs: float [N, K+1]."""
    labels = classes.encode(rows["label"], "the test rows, column label")
    is_target = labels != classes.other
    rows, labels, targets = rows[is_target], labels[is_target], over_targets(probs[is_target].astype(np.float32))
    members, left_out = attributes(rows, parting=True), {"alike": alike(rows), "texts": texts(rows)}
    if not members:
        return {"groups": [], **left_out} if any(left_out.values()) else {}
    inside, person = np.stack(list(members.values()), axis=1), pd.factorize(rows["patient_id"], sort=True)[0]
    found = gaps(inside, labels, targets.argmax(axis=1) == labels, person, len(classes.targets))
    told = [
        {
            "by": by, "group": group, "images": int(inside[:, at].sum()), "patients": len(np.unique(person[inside[:, at]])),
            "gap": float(found.values[at]) if interval else None, "interval": interval, "left_out": int(found.left_out[at]),
        }
        for at, ((by, group), interval) in enumerate(zip(members, gap_intervals(found), strict=True))
    ]  # fmt: skip
    return {"groups": told, **left_out}


def unfamiliar_by_group(rows: pd.DataFrame, similarity: np.ndarray, familiarity: Familiarity) -> list[dict[str, Any]]:
    """Of each group of each attribute photos, patients, and the share that is refused as unfamiliar, with its 95 % interval over patients;
    both None where these are too few. Empty where the model has nothing to compare with. similarity: float [N], of the test rows."""
    if not len(familiarity.reference):
        return []
    refused, person = similarity < familiarity.threshold, pd.factorize(rows["patient_id"], sort=True)[0]
    found = []
    for (by, group), inside in attributes(rows).items():
        hits, given = (sum_by(person, np.zeros_like(person), amount, 1)[:, 0] for amount in (refused & inside, inside))
        interval = share_interval(hits, given)
        share = float(refused[inside].mean()) if interval else None
        patients = int((given > 0).sum())
        found.append({"by": by, "group": group, "images": int(inside.sum()), "patients": patients, "share": share, "interval": interval})
    return found
