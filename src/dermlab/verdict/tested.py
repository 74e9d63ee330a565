"""Runs, and the test set that they are measured on: each of the same images, labels and patients, or they cannot be compared.

M scores: the headline, then F1 of each of K classes, then those of groups of classes and of patients.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd

from dermlab.data.tables import CASE, PROB_PREFIX
from dermlab.run.errors import ContractError
from dermlab.run.params import flat
from dermlab.scores.attributes import attributes
from dermlab.scores.cases import Pooling
from dermlab.scores.counts import f1
from dermlab.scores.gaps import Gaps, gaps
from dermlab.scores.group_scores import SCORES, measure_groups
from dermlab.scores.groups import Group
from dermlab.scores.headline import HEADLINE, Tally, headline, patients_behind
from dermlab.scores.influence import Measured, beside, measure
from dermlab.scores.predictions import case_predictions, labels_and_probs, scored_rows, tally_by_patient, target_names
from dermlab.scores.rare import commonest, rarest_third
from dermlab.scores.reference import Reference, moves, reference_of
from dermlab.verdict.apart import HEAD_PLACES


@dataclass(frozen=True)
class Run:
    """One experiment."""

    name: str
    predictions: pd.DataFrame  # as `tables.PREDICTIONS`
    params: dict  # params.yaml
    train_counts: dict[str, int]  # the catalog's training rows of each target class
    trained: dict[str, int] = field(default_factory=dict)  # those that the run trained on
    flagged: dict[str, float] = field(default_factory=dict)  # share of each class's rows whose label was doubted
    code: dict[str, str] = field(default_factory=dict)  # what its results depend on beside params, file -> digest
    pooling: Pooling | None = None  # how photos of one case are put together; None where each case is one, or nobody knows
    groups: tuple[Group, ...] = ()  # of classes, with the points that its validation chose
    answers: pd.DataFrame | None = None  # what patients answered and the source notes of the test images, by image_id
    best_phase: str = ""  # of training, `frozen` or `finetune`: what validation chose of it; empty where nobody knows

    @property
    def kept_its_head(self) -> bool:
        """It was fine-tuned, and what was tested is the frozen head from before."""
        return self.best_phase == "frozen" and self.params.get("train", {}).get("finetune_epochs", 0) > 0

    @property
    def recipe(self) -> str:
        return recipe_of(self.params, self.code)

    @property
    def knows_cases(self) -> bool:
        return self.pooling is not None and CASE in self.predictions

    def of_cases(self) -> Self:
        """A row a case in place of one a photo."""
        groups = tuple(group.of_cases() for group in self.groups)
        return replace(self, predictions=case_predictions(self.predictions, self.pooling), pooling=None, groups=groups)


def recipe_of(params: Mapping, code: Mapping[str, str]) -> str:
    """The same for runs that differ in nothing but the seed."""
    return json.dumps([{key: value for key, value in flat(params).items() if key != "seed"}, code], sort_keys=True, default=str)


@dataclass(frozen=True)
class TestSet:
    """What the baseline was tested on, and every other run has to be."""

    __test__ = False  # for pytest, which takes the name for that of tests

    baseline: Run
    rows: pd.DataFrame  # of target classes, by image
    scores: Callable[[Tally], np.ndarray]  # from a tally [...] to its M scores [..., M]
    reference: Reference | None  # where raters disagree about rows
    behind: np.ndarray  # int [M]: the patients that each score rests on
    tested: dict[str, int]  # each class with a test row -> its place among the M
    groups: dict[str, int]  # likewise each group of classes, the first of its SCORES, for which it stands
    gaps: dict[str, int]  # likewise the gap of each group of patients, `attribute: group`
    inside: np.ndarray  # bool [N, G]: the rows of these groups
    patients: int
    # `images_of`, `patients_of`: of each class
    images_of: dict[str, int]
    patients_of: dict[str, int]
    rare: tuple[str, ...]
    sink: str

    @property
    def judged(self) -> dict[str, int]:
        """The places of what may be asked for: each headline score, and the sensitivity of each group of classes."""
        return {**HEAD_PLACES, **self.groups}

    @classmethod
    def of(cls, baseline: Run, others: Sequence[Run] = ()) -> Self:
        """`others`: runs that may say what raters said of the same images where the baseline's file does not, as older ones do not."""
        rows = scored_rows(baseline.predictions)
        rated = next((run.predictions[["image_id", "labels"]] for run in (baseline, *others) if "labels" in run.predictions), None)
        targets, by_patient = target_names(rows), tally_by_patient(rows)
        counts = np.array([baseline.train_counts.get(name, 0) for name in targets])
        rare, sink, patients_of = rarest_third(counts), commonest(counts), (by_patient.true > 0).sum(0)
        of_head = patients_behind(by_patient, rare)
        of_groups = measure_groups(rows, baseline.groups)[1] if baseline.groups else ()
        first = len(HEADLINE) + len(targets)
        members = attributes(baseline.answers.reindex(rows["image_id"]), parting=True) if baseline.answers is not None else {}
        inside = np.stack(list(members.values()), axis=1) if members else np.zeros((len(rows), 0), bool)
        return cls(
            baseline=baseline,
            rows=rows,
            scores=all_scores(rare, sink),
            reference=reference_of(
                rows if rated is None else rows.drop(columns="labels", errors="ignore").merge(rated, how="left"), targets
            ),
            behind=np.array([*(of_head[name] for name in HEADLINE), *patients_of, *of_groups, *_gaps(rows, inside).patients]),
            tested={name: len(HEADLINE) + c for c, name in enumerate(targets) if patients_of[c]},
            groups={group.name: first + len(SCORES) * at for at, group in enumerate(baseline.groups)},
            gaps={f"{by}: {group}": first + len(of_groups) + at for at, (by, group) in enumerate(members)},
            inside=inside,
            patients=len(by_patient.rows),
            images_of=dict(zip(targets, by_patient.total().true.astype(int).tolist(), strict=True)),
            patients_of=dict(zip(targets, patients_of.tolist(), strict=True)),
            rare=tuple(targets[c] for c in rare),
            sink=targets[sink],
        )

    def measure(self, run: Run) -> Measured:
        """Raises ContractError where it was tested on something else."""
        theirs = scored_rows(run.predictions)
        _check_same_test(self.baseline.name, self.rows, run.name, theirs)
        probs = [name for name in self.rows.columns if name.startswith(PROB_PREFIX)]  # in the order of the baseline's
        theirs = theirs[[*(name for name in theirs.columns if name not in probs), *probs]]
        truths = moves(*labels_and_probs(theirs), self.reference, self.scores) if self.reference else None
        measured = [measure(tally_by_patient(theirs), self.scores, truths)]
        if self.baseline.groups:
            measured.append(measure_groups(theirs, [_point_of(run, group) for group in self.baseline.groups])[0])
        if self.gaps:
            measured.append(_gaps_measured(theirs, self.inside))
        return beside(measured)


def _gaps(rows: pd.DataFrame, inside: np.ndarray) -> Gaps:
    labels, probs = labels_and_probs(rows)
    return gaps(inside, labels, probs.argmax(axis=1) == labels, pd.factorize(rows["patient_id"], sort=True)[0], probs.shape[1])


def _gaps_measured(rows: pd.DataFrame, inside: np.ndarray) -> Measured:
    found = _gaps(rows, inside)
    moved = found.moves.astype(np.float32)
    return Measured(found.values, moved, moved, np.zeros((0, len(found.values)), np.float32))


def _point_of(run: Run, group: Group) -> Group:
    """The group with the point of the run's own validation; without one where the run knows the group by other classes, or not at all."""
    same = (own for own in run.groups if (own.name, set(own.classes)) == (group.name, set(group.classes)))
    return next(same, replace(group, threshold=None))


def all_scores(rare: np.ndarray, sink: int) -> Callable[[Tally], np.ndarray]:
    """From a tally [...] to its M scores [..., M]."""

    def scores(tally: Tally) -> np.ndarray:
        heads = headline(tally, rare, sink)
        return np.concatenate([np.stack([heads[name] for name in HEADLINE], -1), f1(tally)], -1)

    return scores


def _check_same_test(first_name: str, first: pd.DataFrame, name: str, rows: pd.DataFrame) -> None:
    where = f"{first_name} and {name} cannot be compared:"
    todo = "Run both again from one data/source and one pull (`dvc exp run`)."
    if set(target_names(first)) != set(target_names(rows)):
        raise ContractError(f"{where} their classes differ. {todo}")
    ours, theirs = set(first["image_id"]), set(rows["image_id"])
    if len(first) != len(rows) and ours == theirs:
        raise ContractError(f"{where} one of them holds an image twice. {todo}")
    if ours != theirs:
        raise ContractError(
            f"{where} they were tested on different images ({len(ours - theirs)} only in {first_name}, {len(theirs - ours)} only in "
            f"{name}). {todo}"
        )
    for column, what in (("label", "labels"), ("patient_id", "patients")):
        if count := int((first[column].to_numpy() != rows[column].to_numpy()).sum()):
            raise ContractError(f"{where} {count} of {len(rows)} test images have different {what}. Test labels are frozen. {todo}")
    both = (first["labels"], rows["labels"]) if "labels" in first and "labels" in rows else ((), ())
    if count := sum(one != other for one, other in zip(*both, strict=True)):
        raise ContractError(f"{where} raters said something else of {count} of {len(rows)} test images. {todo}")
