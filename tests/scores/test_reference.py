"""What is believed of a score where raters disagree about the truth."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from dermlab.scores.agreement import alpha, alpha_sums
from dermlab.scores.bootstrap import interval
from dermlab.scores.headline import HEADLINE, Tally, headline, tally
from dermlab.scores.influence import variance
from dermlab.scores.reference import moves, reference_of, under_raters

NAMES = ("a", "b", "c", "d")


def rows_of(labels, several: dict[int, tuple], cases=None) -> pd.DataFrame:
    ids = [f"{i:04d}" for i in range(len(labels))]
    frame = pd.DataFrame({"image_id": ids, "case_id": cases if cases is not None else ids, "label": [NAMES[of] for of in labels]})
    frame["labels"] = pd.Series([several.get(i) for i in range(len(labels))], dtype=object)
    return frame


def test_where_every_photo_has_one_label_there_is_no_reference():
    assert reference_of(rows_of([0, 1], {}), NAMES) is None
    assert reference_of(rows_of([0, 1], {}).drop(columns="labels"), NAMES) is None
    assert reference_of(rows_of([0, 1], {0: (("a", 0.6), ("other", 0.4))}), NAMES) is None  # `other` is left out of the ranking


def test_what_is_expected_is_the_share_of_opinions_that_the_ranking_meets():
    labels, probs = np.array([0, 1, 2]), np.array([[0.6, 0.2, 0.15, 0.05], [0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.3, 0.4]])
    frame = rows_of(labels, {1: (("b", 0.5), ("a", 0.3), ("d", 0.2)), 2: (("c", 0.6), ("other", 0.2), ("d", 0.2))})
    found = under_raters(labels, probs, np.arange(3), reference_of(frame, NAMES), 10, 0)
    assert found["top1"]["value"] == pytest.approx((1 + 0.3 + 0.25) / 3)
    assert found["top3"]["value"] == pytest.approx((1 + 0.8 + 1) / 3)


def test_photos_of_a_case_have_one_truth():
    """Of four photos that one case's raters dispute half and half, with one of the labels predicted for all, all are right or none."""
    labels, probs = np.zeros(4, int), np.tile([0.7, 0.1, 0.1, 0.1], (4, 1))
    several = dict.fromkeys(range(4), (("a", 0.5), ("b", 0.5)))

    def spread(cases: list[str] | None) -> float:
        of = reference_of(rows_of(labels, several, cases), NAMES)
        return variance(moves(labels, probs, of, lambda of_rows: headline(of_rows, [2], 0)["top1"][..., None]))[0]

    assert spread(["x"] * 4) == pytest.approx(1 / 4)
    assert spread(None) == pytest.approx(1 / 16)


def test_moves_add_up_to_the_variance_over_what_the_truths_may_be():
    """By drawing all the truths of a small set many times: of top-1 exactly, of scores that are no sums nearly."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 400)
    probs = rng.dirichlet(np.ones(4), 400) + 0.8 * np.eye(4)[labels]
    probs /= probs.sum(axis=1, keepdims=True)
    several = {i: ((NAMES[labels[i]], 2 / 3), (NAMES[(labels[i] + 1) % 4], 1 / 3)) for i in range(0, 400, 5)}
    of = reference_of(rows_of(labels, several), NAMES)

    def scores(of_rows: Tally) -> np.ndarray:
        return np.stack(list(headline(of_rows, [2, 3], 0).values()), -1)

    found = np.sqrt(variance(moves(labels, probs, of, scores)))
    drawn = []
    for _ in range(3000):
        truth = labels.copy()
        other = rng.random(len(several)) > 2 / 3
        truth[list(several)] = np.where(other, (labels[list(several)] + 1) % 4, labels[list(several)])
        drawn.append(scores(tally(truth, probs)))
    spread = dict(zip(HEADLINE, np.std(drawn, axis=0), strict=True))
    for name, moved in zip(HEADLINE, found, strict=True):
        assert moved == pytest.approx(spread[name], rel=0.1), name


def test_two_runs_that_are_right_about_the_same_photos_are_not_set_apart_by_disputes():
    labels = np.zeros(40, int)
    probs = np.tile([0.7, 0.1, 0.1, 0.1], (40, 1))
    other = probs.copy()
    other[:10] = [0.1, 0.7, 0.1, 0.1]
    of = reference_of(rows_of(labels, dict.fromkeys(range(40), (("a", 0.5), ("b", 0.5)))), NAMES)

    def scores(of_rows: Tally) -> np.ndarray:
        return headline(of_rows, [2], 0)["top1"][..., None]

    same, differing = (moves(labels, probs, of, scores) - moves(labels, given, of, scores) for given in (probs, other))
    assert variance(same)[0] == 0
    assert variance(differing)[0] == pytest.approx(10 * 1.0 / 40**2)  # ten rows, whose hit is at stake twice over


PATIENTS, TRIALS, DOUBTFUL = 350, 400, 0.4
SAYS_LIKELIER = {False: 0.8, True: 0.9}  # how often the network says a photo's likelier label, of clear cases and of doubtful ones


def study(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Rows, labels, probabilities, patients. The photos of a doubtful case show one of two look-alikes, with odds of 2 : 1, and so the
    truth is, and so each of three raters says; the network sees no more than they do."""
    photos = rng.integers(1, 4, PATIENTS)
    patient = np.repeat(np.arange(PATIENTS), photos)
    likelier, doubtful = rng.integers(0, 4, PATIENTS), rng.random(PATIENTS) < DOUBTFUL
    alike = likelier ^ 1
    share = np.where(doubtful[:, None], rng.random((PATIENTS, 3)) < 2 / 3, True).mean(axis=1)
    given = np.where(share > 0.5, likelier, alike)
    says_likelier = rng.random(len(patient)) < np.where(doubtful, SAYS_LIKELIER[True], SAYS_LIKELIER[False])[patient]
    probs = np.full((len(patient), 4), 0.1) + 0.6 * np.eye(4)[np.where(says_likelier, likelier[patient], alike[patient])]
    several = {}
    for row, case in enumerate(patient):
        if 0 < share[case] < 1:
            several[row] = ((NAMES[likelier[case]], share[case]), (NAMES[alike[case]], 1 - share[case]))
    return rows_of(given[patient], several, [f"c{of}" for of in patient]), given[patient], probs, patient


def test_with_raters_who_err_the_wider_interval_holds_the_true_accuracy_and_the_one_against_their_majority_does_not():
    """The coverage of 95 %, of the accuracy against a truth that nobody sees, over simulated studies."""
    rng = np.random.default_rng(17)
    of_doubtful = SAYS_LIKELIER[True] * 2 / 3 + (1 - SAYS_LIKELIER[True]) / 3
    true_accuracy = (1 - DOUBTFUL) * SAYS_LIKELIER[False] + DOUBTFUL * of_doubtful
    held = {"raters": 0, "majority": 0}
    for trial in range(TRIALS):
        frame, labels, probs, patient = study(rng)
        low, high = under_raters(labels, probs, patient, reference_of(frame, NAMES), 500, trial)["top1"]["interval"]
        held["raters"] += low <= true_accuracy <= high
        counts = tally(labels, probs, patient)
        weights = rng.multinomial(PATIENTS, np.full(PATIENTS, 1 / PATIENTS), 500)
        drawn = Tally(*(weights @ getattr(counts, part.name) for part in fields(Tally)))
        low, high = interval(headline(drawn, [2], 0)["top1"], PATIENTS, float(headline(counts.total(), [2], 0)["top1"]))
        held["majority"] += low <= true_accuracy <= high

    assert 0.935 <= held["raters"] / TRIALS <= 0.965
    assert held["majority"] / TRIALS < 0.9


def test_alpha_is_the_published_one():
    """Krippendorff 2011, the nominal data of four observers: alpha = 0.743."""
    units = [
        [1, 1, 1],
        [2, 2, 3, 2],
        [3, 3, 3, 3],
        [3, 3, 3, 3],
        [2, 2, 2, 2],
        [1, 2, 3, 4],
        [4, 4, 4, 4],
        [1, 1, 2, 1],
        [2, 2, 2, 2],
        [5, 5, 5],
        [1, 1],
        [3],
    ]
    counts = np.array([[of.count(value) for value in range(1, 6)] for of in units])
    assert alpha(alpha_sums(counts).sum(axis=0)) == pytest.approx(0.743, abs=5e-4)
    assert np.isnan(alpha(alpha_sums(np.array([[3, 0], [2, 0]])).sum(axis=0)))
