"""A group of classes against all others: against scikit-learn, and intervals against what simulations say."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from dermlab.scores.decisions import THRESHOLDS, decision_curve
from dermlab.scores.group_scores import Told, auroc_by_patient, measure_groups
from dermlab.scores.groups import Group
from dermlab.scores.influence import variance
from dermlab.scores.predictions import scored_rows
from dermlab.scores.proportions import mean_interval, share_interval

NAMES = ("nevus", "melanoma", "carcinoma", "wart", "other")
GROUP = Group("malignant", ("melanoma", "carcinoma"), 0.95, 0.3)


def predictions(rows: int = 600, skill: float = 1.0, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    labels = rng.choice(5, rows, p=[0.5, 0.15, 0.15, 0.1, 0.1])
    logits = rng.normal(size=(rows, 5))
    logits[np.arange(rows), labels] += skill
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    frame = pd.DataFrame({"image_id": [f"{i:04d}" for i in range(rows)], "patient_id": [f"p{i // 3}" for i in range(rows)]})
    frame = frame.assign(label=[NAMES[c] for c in labels])
    frame[[f"prob_{name}" for name in NAMES]] = probs.astype(np.float32)
    return frame


def clustered(rng: np.random.Generator, patients: int, share: float, likeness: float) -> tuple[np.ndarray, np.ndarray]:
    """Hits and rows of each patient, 1 to 5 photos, whose rights hang together (beta-binomial)."""
    rows = rng.integers(1, 6, patients)
    strength = 1 / likeness - 1
    return rng.binomial(rows, rng.beta(share * strength, (1 - share) * strength, patients)), rows


def test_sensitivity_specificity_and_auroc_are_those_of_the_target_rows():
    scored = scored_rows(predictions())
    own = scored["label"].isin(GROUP.classes).to_numpy()
    score = scored[["prob_melanoma", "prob_carcinoma"]].to_numpy().astype(float).sum(1)
    found, behind = measure_groups(scored, [GROUP])
    assert found.values == pytest.approx([(score[own] >= 0.3).mean(), (score[~own] < 0.3).mean(), roc_auc_score(own, score)])
    assert behind.tolist() == [scored.loc[own, "patient_id"].nunique(), scored.loc[~own, "patient_id"].nunique(), min(behind[:2])]
    unset, _ = measure_groups(scored, [Group("malignant", GROUP.classes, 0.95)])
    assert np.isnan(unset.values[:2]).all()
    assert unset.values[2] == found.values[2]


def test_what_patients_move_an_auroc_by_sums_to_the_variance_that_resampled_patients_have():
    told = Told.of(scored_rows(predictions(seed=3)), GROUP)
    area, moves = auroc_by_patient(told)
    rng, people = np.random.default_rng(1), told.person.max() + 1
    rows_of = [np.flatnonzero(told.person == p) for p in range(people)]
    drawn = []
    for _ in range(600):
        rows = np.concatenate([rows_of[p] for p in rng.integers(people, size=people)])
        drawn.append(roc_auc_score(told.own[rows], told.score[rows]))
    assert moves.sum() == pytest.approx(0, abs=1e-12)
    assert np.sqrt(variance(moves[:, None])[0]) == pytest.approx(np.std(drawn), rel=0.1)
    assert area == pytest.approx(np.mean(drawn), abs=0.003)


def test_a_share_of_one_keeps_an_interval_as_wide_as_its_patients_are_few():
    hits = np.full(40, 2.0)
    low, high = share_interval(hits, hits)
    assert high == 1
    assert 0.88 < low < 0.92  # Wilson's for 40 of 40 begins at 0.912, whatever the photos
    assert share_interval(hits[:9], hits[:9]) is None
    assert share_interval(np.append(hits[:9], 0.0), np.append(hits[:9], 0.0)) is None  # who has no row counts for nothing


@pytest.mark.parametrize(("patients", "share", "likeness"), [(30, 0.9, 0.3), (30, 0.95, 0.05), (120, 0.95, 0.5), (400, 0.7, 0.3)])
def test_the_interval_of_a_share_holds_it_about_as_often_as_said(patients, share, likeness):
    rng = np.random.default_rng(17)
    held = 0
    for _ in range(2000):
        low, high = share_interval(*clustered(rng, patients, share, likeness))
        held += low <= share <= high
    assert 0.93 <= held / 2000 <= 0.985


def test_net_benefit_is_what_vickers_and_elkin_define():
    own, score = np.array([1, 1, 0, 0, 0], bool), np.array([0.9, 0.2, 0.6, 0.05, 0.3])
    found = {row["threshold"]: row for row in decision_curve(own, score, np.arange(5))}
    assert tuple(found) == THRESHOLDS
    assert found[0.5]["net_benefit"] == pytest.approx(1 / 5 - 1 / 5)
    assert found[0.25]["net_benefit"] == pytest.approx(1 / 5 - 2 / 5 / 3)
    assert found[0.01]["net_benefit"] == pytest.approx(found[0.01]["treat_all"])
    assert found[0.25]["treat_all"] == pytest.approx(2 / 5 - 3 / 5 / 3)
    assert found[0.25]["interval"] is None
    assert not found[0.25]["worth_more"]


def test_a_good_model_is_worth_acting_on_and_one_that_knows_nothing_is_not():
    rng, people = np.random.default_rng(2), np.arange(3000) // 2
    own = rng.random(3000) < 0.2
    good = np.where(own, rng.beta(8, 4, 3000), rng.beta(2, 10, 3000))
    assert all(row["worth_more"] for row in decision_curve(own, good, people) if 0.1 <= row["threshold"] <= 0.5)
    knows_nothing = np.full(3000, own.mean())
    assert not any(row["worth_more"] for row in decision_curve(own, knows_nothing, people))


def test_the_interval_of_a_mean_is_students_where_each_patient_has_a_row():
    values = np.random.default_rng(3).normal(size=25)
    low, high = mean_interval(values, np.ones(25))
    assert (high - low) / 2 == pytest.approx(2.0639 * values.std(ddof=1) / 5, rel=1e-4)
