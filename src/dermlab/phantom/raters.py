"""Dermatologists who each name a diagnosis of every case, and disagree about some.

A case is clear or doubtful, a hard one always: of a clear case everybody names the truth but for a slip; of a doubtful one each names it by
their skill, else mostly a look-alike, the commoner the likelier. A case's photos are labelled in one act; a copy sent by somebody else is
looked at anew. The label is what most say.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from dermlab.data.classes import OTHER
from dermlab.data.shares import Shares, several, shares_of
from dermlab.phantom.clinic import LOOK_ALIKE_ERRORS, Clinic, commonness
from dermlab.phantom.conditions import CONDITIONS

DOUBTFUL = 0.22  # of the cases that are not hard: disputed are then about two in ten of all
SLIP = 0.01  # chance that somebody errs on a clear case
SKILL = (0.8, 0.65, 0.55)  # chance to name the truth of a doubtful case, from the first dermatologist on, and so on in turn


def with_raters(clinic: Clinic, raters: int, seed: int) -> Clinic:
    """The same photos and patients, labelled by so many. What a photo's label is worth, `kind` of the truth, follows."""
    rng = np.random.default_rng([seed, len(clinic.manifest), raters])
    manifest, truth = clinic.manifest.reset_index(drop=True), clinic.truth.reset_index(drop=True)
    true = _true_conditions(manifest, truth)
    first = manifest.groupby("case_id").head(1)
    said = {
        case: _opinions(condition, kind == "hard", raters, rng)
        for case, condition, kind in zip(first["case_id"], true[first.index], truth.loc[first.index, "kind"], strict=True)
    }
    given = {case: _counted(names) for case, names in said.items()}
    diagnosis = manifest["case_id"].map({case: shares[0][0] for case, shares in given.items()})
    labels = diagnosis.map(clinic.classes.label_of)
    labelled = truth["kind"].isin(("clean", "hard", "mislabeled"))
    wrong = np.where(labels != truth["true_label"], "mislabeled", truth["kind"].replace("mislabeled", "clean"))
    return replace(
        clinic,
        manifest=manifest.assign(
            diagnosis=diagnosis,
            diagnoses=[several(given[case]) for case in manifest["case_id"]],
            votes=float(raters),
            raters=[tuple((str(number), name) for number, name in enumerate(said[case], 1)) for case in manifest["case_id"]],
        ),
        truth=truth.assign(kind=truth["kind"].where(~labelled, wrong)),
    )


def _true_conditions(manifest: pd.DataFrame, truth: pd.DataFrame) -> np.ndarray:
    """Names [N]. Of the pool the truth says no more than `other`, and the diagnosis, a copy's that of what it copies, is right."""
    of_key = manifest.set_index("key")["diagnosis"]
    original = truth["duplicate_of"].where(truth["duplicate_of"].notna(), truth["key"]).map(of_key)
    return truth["true_label"].where(truth["true_label"] != OTHER, original).to_numpy(dtype=object)


def _opinions(condition: str, hard: bool, raters: int, rng: np.random.Generator) -> list[str]:
    doubtful, names = hard or rng.random() < DOUBTFUL, []
    for rater in range(raters):
        right = SKILL[rater % len(SKILL)] if doubtful else 1 - SLIP
        names.append(condition if rng.random() < right else _mistaken(condition, rng))
    return names


def _mistaken(condition: str, rng: np.random.Generator) -> str:
    alike = CONDITIONS[condition].looks_like
    names = alike if rng.random() < LOOK_ALIKE_ERRORS else tuple(name for name in CONDITIONS if name != condition)
    odds = np.array([commonness(name) for name in names])
    return str(rng.choice(names, p=odds / odds.sum()))


def _counted(names: list[str]) -> Shares:
    return shares_of({name: float(names.count(name)) for name in names})
