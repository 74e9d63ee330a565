"""How well each group of patients is served: by what they answered (age, sex, site, skin type) and by what the source notes of them (skin
tone as clinicians judged it, how the diagnosis was made). Whom a group holds differs in diagnosis too, so a low score is a question.
"""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.scores.attributes import attributes
from dermlab.scores.bootstrap import interval, resample
from dermlab.scores.counts import Counts, recall
from dermlab.scores.ranking import in_top, over_targets

SEED = 17


@dataclass(frozen=True)
class Subgroup:
    """Test rows of target classes: `top1`, `top3` as the headline counts them."""

    by: str
    group: str
    images: int
    patients: int
    top1: float
    top3: float
    interval: tuple[float, float] | None  # of top1, 95 % over patients


def subgroups(rows: pd.DataFrame, probs: np.ndarray, classes: Classes, bootstrap: int) -> list[dict]:
    """Every question and note that makes groups, as `asdict(Subgroup)`; a row that gave several answers is in several groups. rows: test
    rows with their answers; probs: float [N, K+1]; `bootstrap`: resamples of patients."""
    labels = classes.encode(rows["label"], "the test rows, column label")
    is_target = labels != classes.other
    rows, labels, targets = rows[is_target], labels[is_target], over_targets(probs[is_target].astype(np.float32))
    members = attributes(rows)
    if not members:
        return []
    inside = np.stack(list(members.values()), axis=1).astype(float)
    person = pd.factorize(rows["patient_id"], sort=True)[0]
    first, three = targets.argmax(axis=1) == labels, in_top(labels, targets, 3)
    given, right, listed = (_by_patient(person, inside * of[:, None]) for of in (np.ones(len(rows)), first, three))
    counts = Counts(hit=right, predicted=given, true=given)
    (draws,) = resample([counts], bootstrap, SEED)
    drawn, images, patients = recall(draws), given.sum(0), (given > 0).sum(0)
    whole, whole_three = right.sum(0) / images, listed.sum(0) / images
    return [
        asdict(
            Subgroup(
                by, group, int(images[g]), int(patients[g]),
                float(whole[g]), float(whole_three[g]), interval(drawn[:, g], int(patients[g]), float(whole[g])),
            )
        )
        for g, (by, group) in enumerate(members)
    ]  # fmt: skip


def _by_patient(person: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """[P, G]: amounts [N, G] summed by patient."""
    total = np.zeros((int(person.max()) + 1, amounts.shape[1]))
    np.add.at(total, person, amounts)
    return total
