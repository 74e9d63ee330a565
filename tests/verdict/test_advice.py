"""The words of a verdict follow from stated rules, and from what was asked."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_runs import BASE, PARAMS, judged, one_hot, run

from dermlab.scores.differences import BETTER, NOT_APART, TOO_FEW, WORSE, Difference
from dermlab.verdict.advice import AS_GOOD, LEAVE, NOT_ENOUGH, TAKE, decide, rules
from dermlab.verdict.tested import Run

FIELD = (
    "eczema", "acne", "psoriasis", "seborrheic dermatitis", "urticaria", "tinea", "rosacea", "folliculitis", "wart", "nevus", "melasma",
    "vitiligo", "herpes zoster", "impetigo", "scabies", "onychomycosis", "alopecia areata", "drug rash", "insect bite", "keratosis pilaris",
    "molluscum", "lichen planus", "herpes simplex", "viral exanthem", "post-inflammatory hyperpigmentation",
)  # fmt: skip
RARE = FIELD[-8:]


def field_run(name: str, common: float, rare: float, seed: int, trained: float, images: int = 15561, **params) -> Run:
    """The field's test split: a share `common` of the images of common classes and `rare` of rare ones is right, the rest is called
    eczema (or acne). Each image is right by its own luck, which is the same in every run."""
    world = np.random.default_rng(0)
    odds = 1 / np.arange(1, 26) ** 1.1
    labels, patients = world.choice(25, images, p=odds / odds.sum()), world.integers(9000, size=images)
    luck, move = world.uniform(size=images), np.random.default_rng(seed).normal(0, 0.03, images)
    share = np.where(labels >= 17, rare, common)
    said = np.where(luck + move < share, labels, np.where(labels == 0, 1, 0))
    names = np.array(FIELD)[labels]
    frame = pd.DataFrame({"image_id": [f"i{i:05d}" for i in range(images)], "patient_id": [f"p{p}" for p in patients]})
    frame = frame.assign(diagnosis=names, label=names)
    probs = np.eye(26, dtype=np.float32)[said]
    frame[[f"prob_{target}" for target in (*FIELD, "other")]] = probs
    counts = dict(zip(FIELD, (121514 * odds / odds.sum()).astype(int).tolist(), strict=True))
    left = {name: int(count * (1 - trained * (4 if name in RARE else 1))) for name, count in counts.items()}
    flagged = {name: 0.2 if name in RARE else 0.05 for name in FIELD}
    return Run(name, frame, {**PARAMS, **params}, counts, left, flagged)


@pytest.fixture(scope="module")
def field():
    """What the field lived through: top-1 0.736 and 0.732, rare classes down, 7 % of the rows dropped, a fifth of the rare ones."""
    return judged(field_run("baseline", 0.7415, 0.6800, 1, 0.0), field_run("cleaned", 0.7475, 0.6000, 2, 0.06, variant="cleaned"))


def test_in_the_fields_situation_the_words_are_what_the_field_found_out(field):
    (cleaned,) = field.judged
    assert cleaned.differences["top1"].delta == pytest.approx(-0.004, abs=0.004)
    assert cleaned.differences["top1"].verdict == NOT_APART
    assert cleaned.advice.word == LEAVE
    assert cleaned.advice.sentence.startswith("cleaned: leave it. Top-1 −")
    assert "]; rare recall −" in cleaned.advice.sentence
    assert cleaned.advice.sentence.endswith("worse.")
    said = " ".join(cleaned.advice.reasons)
    assert "Dropping flagged rows took good examples with the bad" in said
    assert "One run each" in said
    assert "F1 of the 8 rare classes: 8 lower, 0 higher." in said
    assert "Of the 8 classes with the most doubted labels (20.0 % to 20.0 % of their rows) 8 have a lower F1." in said
    assert "rows fewer" in said
    assert "eczema, the commonest class, is predicted 1." in said


def of(low: float, high: float, word: str | None = None) -> Difference:
    found = word or (BETTER if low > 0 else WORSE if high < 0 else NOT_APART)
    return Difference(0.5, 0.5 + (low + high) / 2, (low, high), found)


@pytest.mark.parametrize(
    ("primary", "guarded", "word"),
    [
        (of(0.01, 0.03), of(-0.005, 0.02), TAKE),
        (of(0.01, 0.03), of(0.02, 0.04), TAKE),
        (of(0.01, 0.03), of(-0.009, -0.001), TAKE),  # a loss that would not matter
        (of(0.01, 0.03), of(-0.02, 0.01), NOT_ENOUGH),  # a loss of two points is not ruled out
        (of(0.01, 0.03), of(-0.05, -0.02), LEAVE),
        (of(-0.03, -0.01), of(0.02, 0.04), LEAVE),
        (of(-0.03, 0.01), of(-0.05, -0.02), LEAVE),
        (of(-0.008, 0.009), of(-0.009, 0.004), AS_GOOD),
        (of(-0.008, -0.001), of(-0.009, 0.004), AS_GOOD),
        (of(-0.02, 0.02), of(-0.009, 0.004), NOT_ENOUGH),
        (of(-0.02, 0.02), of(0.05, 0.09), NOT_ENOUGH),  # what was guarded is not what was asked
        (of(-0.02, -0.001, NOT_APART), of(-0.02, 0.01), NOT_ENOUGH),  # worse alone, and not among the two
        (of(0.01, 0.03), Difference(0.5, 0.5, None, TOO_FEW), NOT_ENOUGH),
    ],
)
def test_advice_follows_from_the_two_scores_that_were_asked_for(primary, guarded, word):
    assert decide(primary, guarded, 0.01) == word


def test_another_question_gets_another_answer():
    """Better on rare classes in each seed, and nowhere else."""
    right = BASE.predictions["label"].isin(("wart", "post-inflammatory hyperpigmentation")).to_numpy()

    def some(name: str, seed: int, rare: float, **params):
        random = np.random.default_rng(seed)
        luck = np.random.default_rng(0).random(400) < 0.7
        return one_hot(replace(BASE, params={**PARAMS, "seed": seed, **params}), name, ~right & luck | right & (random.random(400) < rare))

    runs = [some(f"base-{s}", s, 0.1) for s in (17, 18, 19)] + [some(f"rare-{s}", s, 0.9, loss="bce") for s in (17, 18, 19)]
    asked_top1 = judged(*runs, primary="top1", guarded="macro_f1")
    asked_rare = judged(*runs, primary="rare_recall", guarded="top1")
    assert asked_rare.judged[0].advice.word == TAKE
    assert asked_rare.judged[0].advice.sentence.startswith("rare-17: take it. Rare recall +")
    assert asked_top1.judged[0].advice.sentence.startswith("rare-17: take it. Top-1 +")
    assert rules(asked_rare.question)[1].startswith("Take it: rare recall is better, and the interval of top-1 rules out")


def test_where_it_is_not_enough_the_advice_says_what_would_be():
    base = [run(f"base-{seed}", 1.5, seed, seed=seed) for seed in (17, 18, 19)]
    near = [run(f"near-{seed}", 1.52, seed + 50, seed=seed, loss="focal") for seed in (17, 18, 19)]
    (found,) = judged(*base, *near).judged
    assert found.advice.word == NOT_ENOUGH
    assert found.advice.reasons[0].startswith("Of top-1, ")
    assert "seeds of each" in found.advice.reasons[0]


def test_what_runs_differ_in_no_more_than_two_trainings_do_is_called_noise():
    """Always right where the other is, and on two more of a hundred photos: nobody but other trainings could have it otherwise."""
    luck = np.random.default_rng(5).random(400)
    base, more = (one_hot(BASE, name, luck < share) for name, share in (("base", 0.70), ("more", 0.715)))
    (found,) = judged(base, replace(more, params={**PARAMS, "loss": "focal"})).judged
    assert found.differences["top1"].of_patients[0] > 0
    assert found.differences["top1"].verdict == NOT_APART
    assert any("within run-to-run noise" in reason for reason in found.advice.reasons)


def test_without_a_word_of_rows_or_flags_nothing_is_said_of_them():
    said = " ".join(judged(BASE, run("other", 1.6, 4, loss="focal")).judged[0].advice.reasons)
    assert "doubted" not in said
    assert "trained on" not in said
