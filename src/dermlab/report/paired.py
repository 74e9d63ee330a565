"""Paired differences of runs on one test set, and differences of recipes over seeds.

Two questions, two answers. How far do two *checkpoints* differ on patients like these? Patients are resampled with
replacement, the same for both runs (a paired, clustered bootstrap; Efron & Tibshirani 1993, ch. 16). How far do two
*recipes* differ? Only several seeds of each can say: Welch's t interval on their means (Welch 1947).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.errors import ContractError
from dermlab.report import scores
from dermlab.report.differences import Difference, difference
from dermlab.report.scores import HEADLINE, per_class_f1
from dermlab.report.seeds import Recipe, by_recipe, flat

FIELD_NOTE = (
    "In the field the run-to-run standard deviation of top-1 was about 0.6 points: two single runs must differ by about 1.7 points, "
    "three seeds against three by about 1.0"
)


@dataclass(frozen=True)
class Run:
    """One experiment. `predictions`: as `tables.PREDICTIONS`; `params`: params.yaml; `train_counts`: rows a target class."""

    name: str
    predictions: pd.DataFrame
    params: dict
    train_counts: dict[str, int]


@dataclass(frozen=True)
class Row:
    """A run against the baseline. `changed`: param -> (baseline's, this run's). `gained`, `lost`: test images that only
    this run, or only the baseline, has right; `mcnemar_p`: exact, two-sided, treats images as independent."""

    name: str
    changed: dict[str, tuple[Any, Any]]
    headline: dict[str, Difference]
    per_class: dict[str, Difference]
    gained: int
    lost: int
    mcnemar_p: float


@dataclass(frozen=True)
class Comparison:
    """`headline`, `per_class`: the baseline's scores. `patients_of`, `images_of`: of each class in the test split.
    `recipes`: the baseline's first; empty where no recipe has a second seed."""

    baseline: str
    headline: dict[str, float]
    per_class: dict[str, float]
    rows: tuple[Row, ...]
    recipes: tuple[Recipe, ...]
    images: int
    patients: int
    images_of: dict[str, int]
    patients_of: dict[str, int]
    rare: tuple[str, ...]
    sink: str
    bootstrap: int
    notes: tuple[str, ...] = field(default=())

    @property
    def is_study(self) -> bool:
        """Every recipe has several seeds, so recipes are what is compared, and single runs are detail."""
        return bool(self.recipes) and all(recipe.spread for recipe in self.recipes)


def compare(baseline: Run, others: list[Run], bootstrap: int = 2000, seed: int = 17) -> Comparison:
    """Headline and per-class F1 of each run against the baseline. `bootstrap`: resamples of patients.

    Raises ContractError where the runs were not scored on the same test images with the same labels.
    """
    runs = [baseline, *others]
    scored = [scores.scored_rows(run.predictions) for run in runs]
    for run, rows in zip(others, scored[1:], strict=True):
        _check_same_test(baseline.name, scored[0], run.name, rows)
    targets = scores.target_names(scored[0])
    counts = [baseline.train_counts.get(name, 0) for name in targets]
    rare, sink = scores.rarest_third(counts), int(np.argmax(counts))
    bins = int(baseline.params.get("evaluate", {}).get("ece_bins", 15))
    by_patient = [scores.tally_by_patient(rows, bins) for rows in scored]
    points = [scores.total(tally) for tally in by_patient]
    draws = scores.resample(by_patient, bootstrap, seed)
    heads = [scores.headline(tally, rare, sink) for tally in points]
    drawn = [scores.headline(tally, rare, sink) for tally in draws]
    f1, drawn_f1 = [per_class_f1(tally) for tally in points], [per_class_f1(tally) for tally in draws]
    patients_of = (by_patient[0].true > 0).sum(0)
    patients = len(by_patient[0].top3)
    rows = []
    for i, run in enumerate(others, 1):
        gained, lost, p = mcnemar(_right(scored[i]), _right(scored[0]))
        headline = {name: difference(name, heads[0][name], heads[i][name], drawn[0][name], drawn[i][name], patients) for name in HEADLINE}
        per_class = {
            name: difference("f1", f1[0][c], f1[i][c], drawn_f1[0][:, c], drawn_f1[i][:, c], patients_of[c])
            for c, name in enumerate(targets)
            if patients_of[c]
        }
        rows.append(Row(run.name, changed_params(baseline.params, run.params), headline, per_class, gained, lost, p))
    recipes = by_recipe([run.name for run in runs], [run.params for run in runs], heads)
    return Comparison(
        baseline=baseline.name,
        headline={name: float(value) for name, value in heads[0].items()},
        per_class={name: float(f1[0][c]) for c, name in enumerate(targets) if patients_of[c]},
        rows=tuple(rows),
        recipes=recipes,
        images=len(scored[0]),
        patients=patients,
        images_of=dict(zip(targets, points[0].true.astype(int).tolist(), strict=True)),
        patients_of=dict(zip(targets, patients_of.tolist(), strict=True)),
        rare=tuple(targets[c] for c in rare),
        sink=targets[sink],
        bootstrap=bootstrap,
        notes=_notes(bootstrap, patients, len(targets), recipes),
    )


def mcnemar(right: np.ndarray, baseline_right: np.ndarray) -> tuple[int, int, float]:
    """Rows only the first has right, only the second, and the exact two-sided p of an even split (McNemar 1947)."""
    from scipy.stats import binomtest

    gained, lost = int((right & ~baseline_right).sum()), int((~right & baseline_right).sum())
    return gained, lost, float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def changed_params(baseline: Mapping, other: Mapping) -> dict[str, tuple[Any, Any]]:
    """Dotted param -> (baseline's value, the other's), where they differ; without `report`, which changes no prediction."""
    old, new = flat(baseline), flat(other)
    return {key: (old.get(key), new.get(key)) for key in [*old, *(k for k in new if k not in old)] if old.get(key) != new.get(key)}


def _right(scored: pd.DataFrame) -> np.ndarray:
    labels, probs = scores.labels_and_probs(scored)
    return probs.argmax(1) == labels


def _notes(bootstrap: int, patients: int, classes: int, recipes: tuple[Recipe, ...]) -> tuple[str, ...]:
    notes = [
        f"Each run's interval: 95 %, paired bootstrap, {bootstrap:,} resamples of {patients:,} patients, the same for both runs. "
        "It speaks of two checkpoints on one test set: how far they differ on patients like these."
    ]
    if recipes:
        said = ", ".join(f"{recipe.name} {len(recipe.seeds)}" for recipe in recipes)
        notes.append(
            f"Rows over seeds compare recipes: mean and standard deviation over seeds ({said}), and Welch's t interval of the difference "
            "where both recipes have two seeds or more. To choose between recipes, read these. They speak of other trainings on this test "
            "set, not of other patients: a difference should hold in both."
        )
    if not recipes or any(len(recipe.seeds) < 2 for recipe in recipes):
        notes.append(f"One seed of a recipe says nothing of its run-to-run spread. {FIELD_NOTE}; compare several seeds (-S seed=18, ...).")
    often = f"{classes} classes" + (f" or {len(recipes) - 1} recipes" if len(recipes) > 2 else "")
    notes.append(f"No correction for looking often: even if none of {often} differed, about one interval in twenty would leave out zero.")
    if patients < 30:
        notes.append(f"Only {patients} patients were tested: intervals from so few are too narrow.")
    return tuple(notes)


def _check_same_test(first_name: str, first: pd.DataFrame, name: str, rows: pd.DataFrame) -> None:
    where = f"{first_name} and {name} cannot be compared:"
    todo = "Run both again from one data/source and one pull (`dvc exp run`)."
    if scores.target_names(first) != scores.target_names(rows):
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
