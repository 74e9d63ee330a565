"""Paired differences of runs on one test set, and differences of recipes over seeds.

The first speak of checkpoints, the second of recipes: see dermlab.scores.differences.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from dermlab.run.errors import ContractError
from dermlab.scores.bootstrap import resample
from dermlab.scores.counts import f1, mean_of_present
from dermlab.scores.differences import FIELD_NOTE, Difference, bootstrap_p, difference, mcnemar, with_correction
from dermlab.scores.headline import HEADLINE, headline, patients_behind
from dermlab.scores.predictions import UNKNOWN_PATIENTS, knows_patients, labels_and_probs, scored_rows, tally_by_patient, target_names
from dermlab.scores.rare import commonest, rarest_third
from dermlab.verdict.seeds import Recipe, by_recipe, flat


@dataclass(frozen=True)
class Run:
    """One experiment."""

    name: str
    predictions: pd.DataFrame  # as `tables.PREDICTIONS`
    params: dict  # params.yaml
    train_counts: dict[str, int]  # the catalog's training rows of each target class
    trained: dict[str, int] = field(default_factory=dict)  # those that the run trained on
    flagged: dict[str, float] = field(default_factory=dict)  # share of each class's rows whose label was doubted


@dataclass(frozen=True)
class Row:
    """A run against the baseline."""

    name: str
    changed: dict[str, tuple[Any, Any]]  # param -> (baseline's, this run's)
    headline: dict[str, Difference]
    per_class: dict[str, Difference]  # of F1, verdicts corrected for the number of classes (Holm)
    rare_f1: Difference  # the mean F1 of the rarest third
    trained: dict[str, int]  # as of `Run`
    # `gained`, `lost`: test images that only this run, or only the baseline, has right
    gained: int
    lost: int
    mcnemar_p: float  # exact, two-sided, treats images as independent


@dataclass(frozen=True)
class Comparison:
    baseline: str
    # `headline`, `per_class`: the baseline's scores
    headline: dict[str, float]
    per_class: dict[str, float]
    rows: tuple[Row, ...]
    recipes: tuple[Recipe, ...]  # the baseline's first; empty where no recipe has a second seed
    images: int
    patients: int
    # `patients_of`, `images_of`: of each class in the test split
    images_of: dict[str, int]
    patients_of: dict[str, int]
    rare: tuple[str, ...]
    sink: str
    # `trained`, `flagged`: as of `Run`, the baseline's
    trained: dict[str, int]
    flagged: dict[str, float]
    bootstrap: int
    notes: tuple[str, ...] = field(default=())
    warning: str = ""  # stands before everything else

    @property
    def is_study(self) -> bool:
        """Every recipe has several seeds, so recipes are what is compared, and single runs are detail."""
        return bool(self.recipes) and all(recipe.spread for recipe in self.recipes)


def compare(baseline: Run, others: list[Run], bootstrap: int = 2000, seed: int = 17) -> Comparison:
    """Headline and per-class F1 of each run against the baseline. `bootstrap`: resamples of patients.

    Raises ContractError where the runs were not scored on the same test images with the same labels.
    """
    runs = [baseline, *others]
    scored = [scored_rows(run.predictions) for run in runs]
    for run, rows in zip(others, scored[1:], strict=True):
        _check_same_test(baseline.name, scored[0], run.name, rows)
    targets = target_names(scored[0])
    counts = np.array([baseline.train_counts.get(name, 0) for name in targets])
    rare, sink = rarest_third(counts), commonest(counts)
    by_patient = [tally_by_patient(rows) for rows in scored]
    points = [tally.total() for tally in by_patient]
    draws = resample(by_patient, bootstrap, seed)
    heads = [headline(tally, rare, sink) for tally in points]
    drawn = [headline(tally, rare, sink) for tally in draws]
    whole_f1, drawn_f1 = [f1(tally) for tally in points], [f1(tally) for tally in draws]
    patients_of = (by_patient[0].true > 0).sum(0)
    patients, behind = len(by_patient[0].rows), patients_behind(by_patient[0], rare)
    rows = []
    for i, run in enumerate(others, 1):
        gained, lost, p = mcnemar(_right(scored[i]), _right(scored[0]))
        scores = {name: difference(name, heads[0][name], heads[i][name], drawn[0][name], drawn[i][name], behind[name]) for name in HEADLINE}
        per_class = {
            name: difference("f1", whole_f1[0][c], whole_f1[i][c], drawn_f1[0][:, c], drawn_f1[i][:, c], patients_of[c])
            for c, name in enumerate(targets)
            if patients_of[c]
        }
        p_values = {
            name: bootstrap_p(drawn_f1[i][:, c] - drawn_f1[0][:, c])
            for c, name in enumerate(targets)
            if name in per_class and per_class[name].bounds
        }
        rare_f1 = difference(
            "f1", *(float(mean_of_present(f[rare])) for f in (whole_f1[0], whole_f1[i])),
            *(mean_of_present(f[:, rare]) for f in (drawn_f1[0], drawn_f1[i])), behind["rare_recall"],
        )  # fmt: skip
        changed = changed_params(baseline.params, run.params)
        rows.append(Row(run.name, changed, scores, with_correction(per_class, p_values), rare_f1, run.trained, gained, lost, p))
    recipes = by_recipe([run.name for run in runs], [run.params for run in runs], heads)
    return Comparison(
        baseline=baseline.name,
        headline={name: float(value) for name, value in heads[0].items()},
        per_class={name: float(whole_f1[0][c]) for c, name in enumerate(targets) if patients_of[c]},
        rows=tuple(rows),
        recipes=recipes,
        images=len(scored[0]),
        patients=patients,
        images_of=dict(zip(targets, points[0].true.astype(int).tolist(), strict=True)),
        patients_of=dict(zip(targets, patients_of.tolist(), strict=True)),
        rare=tuple(targets[c] for c in rare),
        sink=targets[sink],
        trained=baseline.trained,
        flagged=baseline.flagged,
        bootstrap=bootstrap,
        notes=_notes(bootstrap, patients, len(targets), recipes),
        warning="" if knows_patients(scored[0]) else UNKNOWN_PATIENTS,
    )


def changed_params(baseline: Mapping, other: Mapping) -> dict[str, tuple[Any, Any]]:
    """Dotted param -> (baseline's value, the other's), where they differ; without `report`, which changes no prediction."""
    old, new = flat(baseline), flat(other)
    return {key: (old.get(key), new.get(key)) for key in [*old, *(k for k in new if k not in old)] if old.get(key) != new.get(key)}


def _right(scored: pd.DataFrame) -> np.ndarray:
    labels, probs = labels_and_probs(scored)
    return probs.argmax(1) == labels


def _notes(bootstrap: int, patients: int, classes: int, recipes: tuple[Recipe, ...]) -> tuple[str, ...]:
    notes = [
        f"Each run's interval: 95 %, paired bootstrap, {bootstrap:,} resamples of {patients:,} patients, the same for both runs. "
        "It speaks of two checkpoints on one test set: how far they differ on patients like these."
    ]
    if recipes:
        said = ", ".join(f"{recipe.name} {len(recipe.seeds)}" for recipe in recipes)
        notes.append(
            f"Rows over seeds compare recipes: mean and standard deviation over seeds ({said}), and the t interval of the difference where "
            "both have two seeds or more, paired where the seeds are the same, else Welch's. To choose between recipes, read these. They "
            "speak of other trainings on this test set, not of other patients: a difference should hold in both."
        )
    if not recipes or any(len(recipe.seeds) < 2 for recipe in recipes):
        notes.append(f"One seed of a recipe says nothing of its run-to-run spread. {FIELD_NOTE}; compare several seeds (-S seed=18, ...).")
    notes.append(
        f"A single class is called better or worse only where its difference holds after correction for the {classes} classes (Holm); the "
        "intervals shown are not corrected. Nor are the headline scores"
        + (f" of {len(recipes) - 1} recipes" if len(recipes) > 2 else "")
        + ": of twenty intervals of no difference about one leaves out zero."
    )
    if patients < 30:
        notes.append(f"Only {patients} patients were tested: intervals from so few are too narrow.")
    return tuple(notes)


def _check_same_test(first_name: str, first: pd.DataFrame, name: str, rows: pd.DataFrame) -> None:
    where = f"{first_name} and {name} cannot be compared:"
    todo = "Run both again from one data/source and one pull (`dvc exp run`)."
    if target_names(first) != target_names(rows):
        raise ContractError(f"{where} their classes differ. {todo}")
    ours, theirs = set(first["image_id"]), set(rows["image_id"])
    if ours != theirs:
        raise ContractError(
            f"{where} they were tested on different images ({len(ours - theirs)} only in {first_name}, {len(theirs - ours)} only in "
            f"{name}). {todo}"
        )
    for column, what in (("label", "labels"), ("patient_id", "patients")):
        if count := int((first[column].to_numpy() != rows[column].to_numpy()).sum()):
            raise ContractError(f"{where} {count} of {len(rows)} test images have different {what}. Test labels are frozen. {todo}")
