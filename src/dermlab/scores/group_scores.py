"""How well a group of classes, such as malignant, is told from all others. N rows of target classes, P patients, G groups. Rows of
`other` are left out, for nobody says whether they belong to the group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from dermlab.data.tables import PROB_PREFIX
from dermlab.scores.counts import Counts, recall, sum_by
from dermlab.scores.groups import Group
from dermlab.scores.influence import Measured, measure
from dermlab.scores.one_vs_rest import auroc

SCORES = ("sensitivity", "specificity", "AUROC")


@dataclass(frozen=True)
class Told:
    """A group on some rows, by patient."""

    own: np.ndarray  # bool [N]: of the group
    score: np.ndarray  # float [N]: the group's probability
    person: np.ndarray  # int [N], 0..P-1

    @classmethod
    def of(cls, scored: pd.DataFrame, group: Group) -> Self:
        """scored: as of `predictions.scored_rows`, whose probabilities are float32 whoever counts."""
        score = scored[[PROB_PREFIX + name for name in group.classes]].to_numpy().astype(np.float64).sum(axis=1)
        own = scored["label"].isin(group.classes).to_numpy()
        return cls(own, score, pd.factorize(scored["patient_id"], sort=True)[0])

    def counts(self, threshold: float) -> Counts:
        """[P, 2]: of the group and of the others, those called rightly, and all."""
        called, column = self.score >= threshold, (~self.own).astype(np.int64)
        everybody = sum_by(self.person, column, np.ones(len(column)), 2)
        return Counts(hit=sum_by(self.person, column, called == self.own, 2), predicted=everybody, true=everybody)

    @property
    def patients(self) -> tuple[int, int]:
        """With a row of the group, and with one of the others."""
        return len(np.unique(self.person[self.own])), len(np.unique(self.person[~self.own]))


def auroc_by_patient(told: Told) -> tuple[float, np.ndarray]:
    """(AUROC, what each patient moves it by, float [P], squares summing to its variance): DeLong's for clustered rows (Obuchowski 1997,
    Biometrics 53:567). NaN without a row of either side."""
    own, score = told.own, told.score
    patients = int(told.person.max(initial=-1)) + 1
    if not own.any() or own.all():
        return float("nan"), np.zeros(patients)
    area = auroc(own, score)
    above, below = np.sort(score[own]), np.sort(score[~own])

    def placed(values: np.ndarray, among: np.ndarray) -> np.ndarray:
        """Share of `among` that lies below each value, a tie counting half."""
        return (np.searchsorted(among, values, "left") + np.searchsorted(among, values, "right")) / (2 * len(among))

    moved = np.where(own, placed(score, below) - area, 1 - placed(score, above) - area) / np.where(own, own.sum(), (~own).sum())
    moves = np.bincount(told.person, moved, patients)
    return area, moves * (patients / max(patients - 1, 1)) ** 0.5


def measure_groups(scored: pd.DataFrame, groups: Sequence[Group]) -> tuple[Measured, np.ndarray]:
    """Sensitivity, specificity and AUROC of each group, in the order of SCORES: [3 G], and the patients that each rests on, int [3 G]. A
    score is NaN where validation chose no threshold."""
    values, added, left_out, behind = [], [], [], []
    for group in groups:
        told = Told.of(scored, group)
        points = measure(told.counts(np.nan if group.threshold is None else group.threshold), recall)
        area, moves = auroc_by_patient(told)
        known = group.threshold is not None
        values += [*(points.values if known else (np.nan, np.nan)), area]
        added += [*(points.added.T if known else np.zeros((2, len(moves)))), moves]
        left_out += [*(points.left_out.T if known else np.zeros((2, len(moves)))), moves]
        behind += [*told.patients, min(told.patients)]
    as_moves = (np.stack(parts, axis=1).astype(np.float32) for parts in (added, left_out))
    return Measured(np.array(values), *as_moves, np.zeros((0, len(values)), np.float32)), np.array(behind)
