"""For whom, and at what harm: what whoever decides about patients asks of the test split."""

from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.evaluate.gaps import gaps_on_test, unfamiliar_by_group
from dermlab.evaluate.groups import groups_on_test
from dermlab.evaluate.sets import sets_on_test
from dermlab.evaluate.subgroups import subgroups
from dermlab.evaluate.tiers import unfamiliar_on_test
from dermlab.model.calibration import Calibration


def for_whom(
    rows: pd.DataFrame,
    predictions: pd.DataFrame,
    probs: np.ndarray,
    similarity: np.ndarray,
    chosen: Calibration,
    train_labels: pd.Series,
    classes: Classes,
    bootstrap: int,
) -> dict[str, Any]:
    """For metrics/evaluate.json: `unfamiliar`, `subgroups`, `sets`, `gaps`, `unfamiliar_by_group`, and `groups` where data/groups.csv names
    some. rows: the test rows with their answers; predictions: of them, as `tables.PREDICTIONS`; probs: float [N, K+1]; similarity: float
    [N], to the photos of validation; train_labels: the catalog's, of all training rows; `bootstrap`: resamples of patients."""
    found = {
        "unfamiliar": unfamiliar_on_test(rows, probs, similarity, chosen.familiarity, classes),
        "subgroups": subgroups(rows, probs, classes, bootstrap),
        "sets": sets_on_test(rows, probs, chosen.sets, train_labels, classes),
        "gaps": gaps_on_test(rows, probs, classes),
        "unfamiliar_by_group": unfamiliar_by_group(rows, similarity, chosen.familiarity),
    }
    groups = groups_on_test(predictions, chosen.groups, chosen.pooling)
    return {**found, "groups": groups} if groups else found
