"""The words of a comparison follow from stated rules."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_runs import BASE, COUNTS, PARAMS, one_hot, run

from dermlab.verdict.compare import Run, as_markdown, as_text, compare, write_html, write_json
from dermlab.verdict.finding import RULES, findings

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
    baseline = field_run("baseline", 0.7415, 0.6800, 1, 0.0)
    return compare(baseline, [field_run("cleaned", 0.7475, 0.6000, 2, 0.06, variant="cleaned")], bootstrap=400)


def test_in_the_fields_situation_the_page_says_what_the_field_found_out(field):
    (found,) = findings(field)
    assert field.rows[0].headline["top1"].delta == pytest.approx(-0.004, abs=0.004)
    assert found.verdict == "cleaned against baseline: within run-to-run noise in top-1, worse in macro F1, worse on rare classes."
    assert found.advice.startswith("Leave it. Dropping flagged rows took good examples with the bad")
    assert "One run each" not in found.advice
    said = " ".join(found.reasons)
    assert "within run-to-run noise (two single runs must differ by 1.7 points)" in said
    assert "Rare classes (8): mean F1 −" in said
    assert "8 of 8 lower, 0 higher" in said
    assert "Of the 8 classes with the most doubted labels (20.0 % to 20.0 % of their rows) 8 have a lower F1." in said
    assert "rows fewer" in said
    assert "eczema, the commonest class, is predicted 1." in said


def test_the_words_stand_first_in_the_terminal_the_pull_request_and_the_page(field, tmp_path):
    (found,) = findings(field)
    assert as_text(field)[0] == f"[bold]{found.verdict}[/bold]"
    assert as_markdown(field).index(found.verdict) < as_markdown(field).index("| experiment")
    write_html(field, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.index(found.verdict) < page.index("<table")
    assert all(rule.split(":")[0] in page for rule in RULES)
    write_json(field, tmp_path / "comparison.json")
    written = json.loads((tmp_path / "comparison.json").read_text())
    assert written["findings"][0]["verdict"] == found.verdict
    assert written["rows"][0]["headline"]["top1"]["value"] == pytest.approx(field.rows[0].headline["top1"].value)
    assert "p1" not in {row.get("patient_id") for row in written["rows"]}


def test_a_model_against_itself_is_no_evidence_for_a_change():
    (found,) = findings(compare(BASE, [replace(BASE, name="twin")], bootstrap=200))
    assert (
        found.verdict == "twin against base: within run-to-run noise in top-1, not told apart in macro F1, not told apart on rare classes."
    )
    assert found.advice == "No evidence for a change: keep the baseline, or run more seeds."


def test_a_model_that_is_better_everywhere_is_to_be_taken_but_for_the_seeds():
    worse = one_hot(BASE, "worse", ~BASE.predictions.duplicated("patient_id").to_numpy())
    better = one_hot(BASE, "better", np.ones(len(BASE.predictions), bool))
    (found,) = findings(compare(worse, [better], bootstrap=300))
    assert found.verdict == "better against worse: better in top-1, better in macro F1, better on rare classes."
    assert found.advice == "Promising. One run each: run three seeds or more of both before it becomes the recipe."


def test_over_seeds_the_recipes_are_judged_with_their_spread_and_the_seeds_that_would_be_needed():
    base = [run(f"base-{seed}", 1.5, seed, seed=seed) for seed in (17, 18, 19)]
    near = [run(f"near-{seed}", 1.52, seed + 50, seed=seed, loss="focal") for seed in (17, 18, 19)]
    far = [run(f"far-{seed}", 3.0, seed + 90, seed=seed, loss="bce") for seed in (17, 18, 19)]
    ours, theirs = findings(compare(base[0], [*base[1:], *near, *far], bootstrap=100))
    assert ours.verdict.startswith("near-17 against base-17: not told apart in top-1")
    assert "over 3 seeds (σ " in ours.reasons[0]
    assert "a difference of this size would take about" in ours.reasons[0] or "no seeds in reach" in ours.reasons[0]
    assert theirs.verdict.startswith("far-17 against base-17: better in top-1")
    assert theirs.advice == "Take it."


def test_what_may_be_lost_with_a_change_that_is_taken_is_named():
    """Better on rare classes in each seed, and anywhere in top-1."""
    right = BASE.predictions["label"].isin(("wart", "post-inflammatory hyperpigmentation")).to_numpy()
    random = np.random.default_rng(3)
    base = [one_hot(replace(BASE, params={**PARAMS, "seed": s}), f"base-{s}", ~right & (random.random(400) < 0.7)) for s in (17, 18, 19)]
    rare = [
        one_hot(
            replace(BASE, params={**PARAMS, "loss": "bce", "seed": s}),
            f"rare-{s}",
            right & (random.random(400) < 0.8) | ~right & (random.random(400) < p),
        )
        for s, p in zip((17, 18, 19), (0.7, 0.55, 0.5), strict=True)
    ]
    comparison = compare(base[0], [*base[1:], *rare], bootstrap=100)
    (found,) = findings(comparison)
    low, _ = comparison.recipes[1].differences["top1"].bounds
    assert "not told apart in top-1" in found.verdict
    assert f"A loss of up to {-100 * low:.1f} points of top-1" in found.advice


def test_the_spread_of_the_recipes_at_hand_says_what_noise_is():
    other = run("focal", 1.8, 5, loss="focal")
    alone = findings(compare(BASE, [other], bootstrap=100))[0].reasons[0]
    assert "must differ by 1.7 points" in alone
    seeds = [run(f"base-{seed}", 1.5, seed, seed=seed) for seed in (18, 19)]
    known = findings(compare(BASE, [*seeds, other], bootstrap=100))[-1].reasons[0]
    assert "must differ by 1.7 points" not in known


def test_without_a_word_of_rows_or_flags_nothing_is_said_of_them():
    said = " ".join(findings(compare(BASE, [run("other", 1.6, 4)], bootstrap=100))[0].reasons)
    assert "doubted" not in said
    assert "trained on" not in said
    assert COUNTS


def test_where_nobody_knows_the_patients_every_view_begins_with_that(tmp_path):
    def alone(of: Run) -> Run:
        return replace(of, predictions=of.predictions.assign(patient_id=of.predictions["image_id"]))

    comparison = compare(alone(BASE), [alone(run("other", 1.6, 4))], bootstrap=100)
    assert comparison.warning.startswith("Nobody knows which photos are of one patient")
    assert as_text(comparison)[0] == comparison.warning
    assert as_markdown(comparison).index(comparison.warning) < as_markdown(comparison).index("against base:")
    write_html(comparison, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.index("Nobody knows which photos") < page.index('class="verdict"')
    assert compare(BASE, [run("other", 1.6, 4)], bootstrap=100).warning == ""
