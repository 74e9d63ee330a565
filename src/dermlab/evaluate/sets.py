"""Prediction sets on the test split: how often they hold the right class, and how large they are, for common and rare classes and for
groups of patients."""

from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import OTHER, Classes
from dermlab.scores.attributes import attributes
from dermlab.scores.counts import sum_by
from dermlab.scores.proportions import share_interval
from dermlab.scores.rare import rows_per_class
from dermlab.scores.sets import Sets

THIRDS = ("commonest third", "middle third", "rarest third")


def sets_on_test(rows: pd.DataFrame, probs: np.ndarray, sets: Sets | None, train_labels: pd.Series, classes: Classes) -> dict[str, Any]:
    """`promised`, and for `all` test photos, `other` included, for the `classes` by how many training rows they have, and for the `groups`
    of patients: photos, patients, the share whose set holds the right class, its 95 % interval over patients, mean size, share of sets
    of one. Empty where validation could choose none. rows: the test rows; probs: float [N, K+1], calibrated; train_labels: the
    catalog's, of all training rows."""
    if sets is None:
        return {}
    labels = classes.encode(rows["label"], "the test rows, column label")
    inside, person = sets.of(probs), pd.factorize(rows["patient_id"], sort=True)[0]
    held, size = inside[np.arange(len(labels)), labels], inside.sum(axis=1)

    def told(chosen: np.ndarray, **what: str) -> dict[str, Any]:
        hits, given = (sum_by(person, np.zeros_like(person), amount, 1)[:, 0] for amount in (held & chosen, chosen))
        return {
            **what, "rows": int(chosen.sum()), "patients": int((given > 0).sum()), "coverage": float(held[chosen].mean()),
            "interval": share_interval(hits, given), "size": float(size[chosen].mean()), "single": float((size[chosen] == 1).mean()),
        }  # fmt: skip

    third = _third(labels, classes.encode(train_labels, "the training rows, column label"), classes)
    own = sum(how in ("own", "cluster") for how in sets.chosen_by)
    return {
        "promised": sets.coverage,
        "own_thresholds": own,
        "all": told(np.ones(len(labels), bool)),
        "classes": [told(third == name, group=name) for name in (*THIRDS, OTHER) if (third == name).any()],
        "groups": [told(chosen, by=by, group=group) for (by, group), chosen in attributes(rows).items()],
    }


def _third(labels: np.ndarray, train: np.ndarray, classes: Classes) -> np.ndarray:
    """str [N]: of THIRDS, or OTHER. The rarest third is that of `scores.rare`, the commonest as many."""
    order = np.argsort(rows_per_class(train, classes.other), kind="stable")
    third = max(1, len(order) // 3)
    names = np.full(len(order) + 1, THIRDS[1], dtype=object)
    names[order[-third:]], names[order[:third]], names[classes.other] = THIRDS[0], THIRDS[2], OTHER
    return names[labels]
