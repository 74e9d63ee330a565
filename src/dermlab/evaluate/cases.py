"""The test split by case: several photos of one problem, one answer."""

from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.data.tables import CASE, prob_columns
from dermlab.evaluate.build import evaluate
from dermlab.evaluate.tiers import tiers_on_test
from dermlab.model.calibration import Calibration
from dermlab.scores.bootstrap import interval, resample
from dermlab.scores.cases import Pooling, has_several, of_one_label
from dermlab.scores.counts import Counts, recall
from dermlab.scores.predictions import case_predictions, scored_rows
from dermlab.scores.ranking import over_targets

PREFIX = "case_"
SEED = 17
MOST = 6  # photos of a case, beyond which no step is drawn
LEAST = 30  # cases that must have so many photos


def by_case(predictions: pd.DataFrame, train_labels: pd.Series, classes: Classes, pooling: Pooling, bins: int) -> dict[str, float]:
    """The headline of metrics/case.json, its names begun with `case_`; empty where no case has several photos, for it would be the photos',
    and where no case of a target class has photos of one label. predictions: of the test split, with cases; train_labels: the catalog's, of
    all training rows."""
    if not has_several(predictions[CASE].to_numpy(str)):
        return {}
    cases = case_predictions(predictions, pooling)
    if scored_rows(cases).empty:
        return {}
    found = evaluate(cases["label"], cases[prob_columns(classes)].to_numpy(), train_labels, classes, bins)
    return {PREFIX + name: value for name, value in found.headline.items()}


def numbers(predictions: pd.DataFrame, classes: Classes, calibration: Calibration, bootstrap: int) -> dict[str, Any]:
    """What metrics/evaluate.json says of cases: how many there are, how they were put together, `photos`, what each further photo of a
    case gains, and `tiers`, how far what was promised of answers holds. Empty where no case has several, and where `by_case` is."""
    names = predictions[CASE].to_numpy(str)
    if not has_several(names):
        return {}
    alike = of_one_label(predictions["label"].to_numpy(str), names)
    pooling, counts = calibration.pooling, pd.Series(names[alike]).value_counts()
    cases = case_predictions(predictions, pooling)
    if scored_rows(cases).empty:
        return {}
    tiers = calibration.case_tiers or calibration.tiers
    return {
        "cases": len(counts),
        "of_several_photos": int((counts > 1).sum()),
        "left_out": len(np.unique(names[~alike])),
        "pool": pooling.how,
        "independence": pooling.independence,
        "tiers": tiers_on_test(cases, cases[prob_columns(classes)].to_numpy(), tiers, classes, bootstrap)["tiers"],
        "photos": _by_photos(predictions[alike], classes, pooling, bootstrap),
    }


def _by_photos(predictions: pd.DataFrame, classes: Classes, pooling: Pooling, bootstrap: int) -> list[dict[str, Any]]:
    """Top-1 of the same cases with one of their photos, two, and so on, with its interval over patients, and that of what they gain over
    the first alone. The cases are those that have as many photos as LEAST others; the ids are digests, so their order says nothing."""
    rows = predictions[predictions["label"] != classes.names[-1]].sort_values("image_id")
    photos = rows.groupby(CASE)["image_id"].transform("size")
    most = max((count for count in range(2, MOST + 1) if rows.loc[photos >= count, CASE].nunique() >= LEAST), default=0)
    rows = rows[photos >= most] if most else rows.head(0)
    place = rows.groupby(CASE).cumcount()
    right, person = [], None
    for count in range(1, most + 1):
        cases = case_predictions(rows[place < count], pooling).sort_values(CASE)
        labels = classes.encode(cases["label"], "the test rows, column label")
        right.append(over_targets(cases[prob_columns(classes)].to_numpy()).argmax(axis=1) == labels)
        person = pd.factorize(cases["patient_id"], sort=True)[0]
    if not right:
        return []
    hits = np.stack(right, axis=1).astype(float)
    total = np.zeros((int(person.max()) + 1, most))
    np.add.at(total, person, hits)
    given = np.zeros_like(total)
    np.add.at(given, person, np.ones_like(hits))
    (draws,) = resample([Counts(hit=total, predicted=given, true=given)], bootstrap, SEED)
    drawn, top1, patients = recall(draws), hits.mean(axis=0), len(total)
    return [
        {
            "photos": count + 1,
            "cases": len(hits),
            "patients": patients,
            "top1": float(top1[count]),
            "interval": interval(drawn[:, count], patients, float(top1[count])),
            "gain": float(top1[count] - top1[0]),
            "gain_interval": interval(drawn[:, count] - drawn[:, 0], patients, float(top1[count] - top1[0])) if count else None,
        }
        for count in range(most)
    ]
