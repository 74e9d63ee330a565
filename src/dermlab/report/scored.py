"""One run's predictions, counted: every score of the headline and of each class with its interval over patients."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dermlab.scores.bootstrap import interval, resample
from dermlab.scores.counts import f1, precision, recall
from dermlab.scores.headline import HEADLINE, Tally, headline, patients_behind
from dermlab.scores.predictions import labels_and_probs, scored_rows, tally_by_patient, target_names
from dermlab.scores.rare import commonest, rarest_third

Bounds = tuple[float, float] | None


@dataclass(frozen=True)
class ClassScores:
    """One target class."""

    name: str
    rare: bool
    support: int
    patients: int
    precision: float
    recall: float
    f1: float
    f1_bounds: Bounds  # 95 % interval, None with too few patients. Precision, recall and F1 mean nothing without support


@dataclass(frozen=True)
class Scored:
    rows: pd.DataFrame  # those of target classes
    # `labels`, `probs`: of them, int [N] and float64 [N, K]
    labels: np.ndarray
    probs: np.ndarray
    by_patient: Tally
    headline: dict[str, tuple[float, Bounds]]  # score -> (value, 95 % interval)
    classes: list[ClassScores]  # in label order
    # `rare`, `sink`: as `rarest_third` and `commonest` of the training rows
    rare: list[str]
    sink: str

    @property
    def patients(self) -> int:
        return len(self.by_patient.rows)


def score_predictions(predictions: pd.DataFrame, train_counts: Mapping[str, int], bootstrap: int, seed: int) -> Scored:
    """predictions: as `tables.PREDICTIONS`; `train_counts`: training rows of each target class; `bootstrap`: resamples of
    patients. Raises ContractError where there is nothing to score."""
    rows = scored_rows(predictions)
    targets = target_names(rows)
    labels, probs = labels_and_probs(rows)
    by_patient = tally_by_patient(rows)
    (draws,) = resample([by_patient], bootstrap, seed)
    before = np.array([train_counts.get(name, 0) for name in targets])
    rare, sink = rarest_third(before), commonest(before)
    whole, drawn = headline(by_patient.total(), rare, sink), headline(draws, rare, sink)
    behind = patients_behind(by_patient, rare)
    with_bounds = {
        name: (float(whole[name]), None if math.isnan(whole[name]) else interval(drawn[name], behind[name], float(whole[name])))
        for name in HEADLINE
    }
    names = [targets[c] for c in rare]
    return Scored(rows, labels, probs, by_patient, with_bounds, _classes(targets, names, by_patient, draws), names, targets[sink])


def _classes(targets: tuple[str, ...], rare: list[str], by_patient: Tally, draws: Tally) -> list[ClassScores]:
    whole, patients, drawn = by_patient.total(), (by_patient.true > 0).sum(0), f1(draws)
    whole_precision, whole_recall, whole_f1 = precision(whole), recall(whole), f1(whole)
    return [
        ClassScores(
            name, name in rare, int(whole.true[c]), int(patients[c]), float(whole_precision[c]), float(whole_recall[c]),
            float(whole_f1[c]), interval(drawn[:, c], int(patients[c]), float(whole_f1[c])),
        )
        for c, name in enumerate(targets)
    ]  # fmt: skip
