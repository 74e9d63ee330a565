"""How far the promises of the tiers hold on the test split, and what answering fewer photos would give."""

from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.scores.bootstrap import interval, resample
from dermlab.scores.counts import Counts, recall, sum_by
from dermlab.scores.familiarity import Familiarity
from dermlab.scores.tiers import ABSTAIN, ANSWER, TOP3, Tiers, coverage_curve, right_in_tier

NAMES = (ANSWER, TOP3, ABSTAIN)
SEED = 17


def tiers_on_test(rows: pd.DataFrame, probs: np.ndarray, tiers: Tiers, classes: Classes, bootstrap: int) -> dict[str, Any]:
    """`tiers`: of each, the promise, threshold, rows, share of all and share of right ones with its patient-clustered interval; `curve`:
    accuracy of answering the most confident alone. rows: the test rows, `other` included; probs: float [N, K+1], calibrated."""
    labels = classes.encode(rows["label"], "the test rows, column label")
    tier = pd.Categorical(tiers.of(probs), categories=NAMES).codes.astype(np.int64)
    right = right_in_tier(labels, probs, tiers.of(probs))
    person = pd.factorize(rows["patient_id"], sort=True)[0]
    given = sum_by(person, tier, np.ones(len(tier)), len(NAMES))
    by_patient = Counts(hit=sum_by(person, tier, right, len(NAMES)), predicted=given, true=given)
    (draws,) = resample([by_patient], bootstrap, SEED)
    whole, drawn = by_patient.total(), recall(draws)
    promises = {ANSWER: tiers.answer_promise, TOP3: tiers.top3_promise}
    thresholds = {ANSWER: tiers.answer, TOP3: tiers.top3, ABSTAIN: None}
    found = []
    for place, name in enumerate(NAMES):
        count = int(whole.true[place])
        right_share = float(whole.hit[place] / count) if count else None
        bounds = interval(drawn[:, place], int((given[:, place] > 0).sum()), right_share) if count else None
        found.append(
            {
                "tier": name,
                "promise": promises.get(name),
                "threshold": thresholds[name],
                "rows": count,
                "share": count / len(rows),
                "right": right_share,
                "interval": list(bounds) if bounds else None,
            }
        )
    return {"tiers": found, "curve": coverage_curve(labels, probs)}


def unfamiliar_on_test(rows: pd.DataFrame, probs: np.ndarray, similarity: np.ndarray, familiarity: Familiarity, classes: Classes) -> dict:
    """Test photos like none of the validation's: `rows`, `share`, and how often the likeliest class is right of them and of the `others`.
    similarity: float [N]; the rest as for `tiers_on_test`. Empty where the model has nothing to compare with."""
    if not len(familiarity.reference):
        return {}
    strange = similarity < familiarity.threshold
    right = probs.argmax(axis=1) == classes.encode(rows["label"], "the test rows, column label")
    share = {"threshold": familiarity.threshold, "rows": int(strange.sum()), "share": float(strange.mean())}
    return {**share, "right": _mean(right[strange]), "others": _mean(right[~strange])}


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
