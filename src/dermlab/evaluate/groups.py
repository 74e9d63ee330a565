"""Groups of classes on the test split: whether the dangerous ones are found, at what cost to the others, and whether acting on it pays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from dermlab.data.tables import CASE
from dermlab.scores.bootstrap import MIN_PATIENTS
from dermlab.scores.cases import Pooling, has_several
from dermlab.scores.decisions import decision_curve
from dermlab.scores.group_scores import Told, auroc_by_patient
from dermlab.scores.groups import Group
from dermlab.scores.influence import degrees, variance
from dermlab.scores.predictions import case_predictions, scored_rows
from dermlab.scores.proportions import share_interval


def groups_on_test(predictions: pd.DataFrame, groups: Sequence[Group], pooling: Pooling) -> dict[str, list[dict[str, Any]]]:
    """`photo`, and `case` where a case has several photos, and one of a target class photos of one label: of each group what `_scored`
    says. Empty without groups. predictions: of the test split, with cases."""
    if not groups:
        return {}
    scored = scored_rows(predictions)
    found = {"photo": [_scored(scored, group) for group in groups]}
    if has_several(predictions[CASE].to_numpy(str)):
        cases = scored_rows(case_predictions(predictions, pooling))
        found |= {"case": [_scored(cases, group.of_cases()) for group in groups]} if len(cases) else {}
    return found


def _scored(scored: pd.DataFrame, group: Group) -> dict[str, Any]:
    """`rows`, `patients` of the group and of the `others`; `sensitivity`, `specificity`, `auroc` with 95 % intervals over patients, absent
    where they do not exist; `curve`, as `decision_curve`, where there are patients enough for an interval."""
    told = Told.of(scored, group)
    own, others = told.patients
    found: dict[str, Any] = {
        "group": group.name, "classes": list(group.classes), "promise": group.promise, "threshold": group.threshold,
        "rows": int(told.own.sum()), "patients": own, "others": int((~told.own).sum()), "other_patients": others,
    }  # fmt: skip
    if not found["rows"] or not found["others"]:
        return found
    if group.threshold is not None:
        counts = told.counts(group.threshold)
        for at, name in enumerate(("sensitivity", "specificity")):
            hits, rows = counts.hit[:, at], counts.true[:, at]
            found |= {name: float(hits.sum() / rows.sum()), f"{name}_interval": share_interval(hits, rows)}
        found["missed"] = int((counts.true - counts.hit)[:, 0].sum())
    area, moves = auroc_by_patient(told)
    found |= {"auroc": area, "auroc_interval": None}
    if min(own, others) < MIN_PATIENTS:
        return found
    return {**found, "auroc_interval": _on_logits(area, moves), "curve": decision_curve(told.own, told.score, told.person)}


def _on_logits(area: float, moves: np.ndarray) -> tuple[float, float] | None:
    """95 %, on the scale of the logit, within which an AUROC near 1 keeps its interval. None for an AUROC of 0 or 1, which tells no
    variance."""
    if not 0 < area < 1:
        return None
    slope = 1 / (area * (1 - area))
    half = float(np.sqrt(variance(moves[:, None])[0]) * slope * stdtrit(degrees(moves[:, None])[0], 0.975))
    low, high = (1 / (1 + np.exp(-(np.log(area / (1 - area)) + end))) for end in (-half, half))
    return float(low), float(high)
