"""Differences of runs: what is the same is zero, what is better everywhere is better, and what is not comparable is refused."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_runs import BASE, PARAMS, TARGETS, one_hot, run
from rich.console import Console
from scipy.stats import binomtest, ttest_rel
from sklearn import metrics

from dermlab.run.errors import ContractError
from dermlab.scores.headline import HEADLINE
from dermlab.verdict.compare import as_markdown, as_table, compare, per_class_table, write_html, write_json


def test_identical_runs_differ_by_exactly_nothing():
    (row,) = compare(BASE, [replace(BASE, name="twin")], bootstrap=200).rows
    for difference in (*row.headline.values(), *row.per_class.values()):
        assert difference.delta == 0
        assert difference.bounds == (0, 0)
        assert difference.verdict == "not told apart"
    assert (row.gained, row.lost, row.mcnemar_p) == (0, 0, 1.0)


def test_a_run_that_is_better_on_every_patient_is_better():
    first = ~BASE.predictions.duplicated("patient_id").to_numpy()  # wrong on one image of each patient, against none
    worse, better = one_hot(BASE, "worse", ~first), one_hot(BASE, "better", np.ones(len(first), bool))
    (row,) = compare(worse, [better], bootstrap=300).rows
    top1 = row.headline["top1"]
    assert top1.delta == pytest.approx(first.mean())
    assert 0 < top1.bounds[0] < top1.delta < top1.bounds[1]
    assert top1.verdict == "better"
    assert (row.gained, row.lost) == (int(first.sum()), 0)
    (back,) = compare(better, [worse], bootstrap=300).rows
    assert back.headline["top1"].verdict == "worse"
    assert back.headline["top1"].bounds == pytest.approx((-top1.bounds[1], -top1.bounds[0]))


def test_the_resample_is_paired():
    """Two models that fail on the same images differ by little, however uncertain each of them is."""
    other = one_hot(BASE, "other", np.random.default_rng(3).random(400) < 0.5)
    almost = other.predictions.copy()
    almost.loc[:3, "prob_other"] = 0.5  # changes no ranking of the targets
    (row,) = compare(other, [replace(other, name="almost", predictions=almost)], bootstrap=200).rows
    assert row.headline["top1"].bounds == (0, 0)


def test_a_proper_score_is_better_when_lower_and_the_sink_ratio_when_nearer_to_one():
    rng = np.random.default_rng(2)
    right = rng.random(400) < 0.6
    sinking, sound = one_hot(BASE, "sinking", right), one_hot(BASE, "sound", np.ones(400, bool))
    (row,) = compare(sinking, [sound], bootstrap=200).rows
    assert row.headline["sink_ratio"].baseline > 1.1
    assert row.headline["sink_ratio"].delta < 0
    assert row.headline["sink_ratio"].verdict == "better"
    for name in ("brier", "nll"):
        assert row.headline[name].delta < 0
        assert row.headline[name].verdict == "better"
    assert "ece" not in row.headline


def test_a_class_of_few_patients_gets_no_verdict():
    frame = BASE.predictions
    rare = frame.index[frame["label"] == TARGETS[-1]]
    kept = frame.drop(rare[9:]).reset_index(drop=True)
    base = replace(BASE, predictions=kept)
    none = one_hot(base, "none", (kept["label"] != TARGETS[-1]).to_numpy())
    (row,) = compare(one_hot(base, "all", np.ones(len(kept), bool)), [none], bootstrap=200).rows
    assert row.per_class[TARGETS[-1]].delta == -1
    assert row.per_class[TARGETS[-1]].bounds is None
    assert row.per_class[TARGETS[-1]].verdict == "too few patients"


def test_runs_on_other_images_labels_or_classes_are_refused():
    fewer = replace(BASE, name="fewer", predictions=BASE.predictions.iloc[3:].reset_index(drop=True))
    with pytest.raises(ContractError, match=r"base and fewer cannot be compared: .*different images \(3 only in base, 0 only in fewer\)"):
        compare(BASE, [fewer], bootstrap=100)
    changed = BASE.predictions.copy()
    changed.loc[0, "label"] = "wart" if changed.loc[0, "label"] != "wart" else "acne"
    with pytest.raises(ContractError, match="1 of 400 test images have different labels. Test labels are frozen"):
        compare(BASE, [replace(BASE, name="relabeled", predictions=changed)], bootstrap=100)
    with pytest.raises(ContractError, match="their classes differ"):
        compare(BASE, [replace(BASE, predictions=BASE.predictions.drop(columns="prob_wart"))], bootstrap=100)


def test_rows_in_another_order_are_the_same_run():
    shuffled = BASE.predictions.sample(frac=1, random_state=0).reset_index(drop=True)
    (row,) = compare(BASE, [replace(BASE, predictions=shuffled)], bootstrap=100).rows
    assert row.headline["macro_f1"].bounds == (0, 0)


def test_what_changed_leaves_out_the_report_block():
    other = run("focal", 1.5, 2, loss="focal", train={"lr": 0.2}, report={"bootstrap": 10})
    (row,) = compare(BASE, [other], bootstrap=100).rows
    assert row.changed == {"loss": ("ce", "focal"), "train.lr": (0.1, 0.2)}


def test_one_seed_each_makes_no_recipes_and_says_that_it_is_no_evidence_of_one():
    comparison = compare(BASE, [run("focal", 1.5, 2, loss="focal")], bootstrap=100)
    assert comparison.recipes == ()
    assert any("One seed of a recipe says nothing of its run-to-run spread" in note for note in comparison.notes)


def test_seeds_of_one_recipe_are_grouped_and_compared_in_pairs():
    base = [BASE, run("base-18", 1.5, 11, seed=18), run("base-19", 1.5, 12, seed=19)]
    focal = [run(f"focal-{seed}", 2.0, seed, seed=seed, loss="focal") for seed in (17, 18, 19)]
    comparison = compare(base[0], [*base[1:], *focal], bootstrap=100)
    ours, theirs = comparison.recipes
    assert (ours.seeds, theirs.seeds) == ((17, 18, 19), (17, 18, 19))
    top1 = []
    for each in (*base, *focal):
        probs = each.predictions[[f"prob_{name}" for name in TARGETS]].to_numpy()
        top1.append((np.array(TARGETS)[probs.argmax(1)] == each.predictions["label"]).mean())
    assert ours.mean["top1"] == pytest.approx(np.mean(top1[:3]))
    assert ours.spread["top1"] == pytest.approx(np.std(top1[:3], ddof=1))
    expected = ttest_rel(top1[3:], top1[:3]).confidence_interval(0.95)
    assert theirs.differences["top1"].bounds == pytest.approx((expected.low, expected.high))
    assert theirs.differences["top1"].verdict == "better"
    assert any("Welch" in note for note in comparison.notes)


def test_recipes_without_any_spread_are_not_told_apart():
    twins = [replace(BASE, name="twin", params={**PARAMS, "seed": 18})]
    focal = [replace(BASE, name=f"focal-{seed}", params={**PARAMS, "seed": seed, "loss": "focal"}) for seed in (17, 18)]
    difference = compare(BASE, [*twins, *focal], bootstrap=100).recipes[1].differences["top1"]
    assert (difference.bounds, difference.verdict) == (None, "not told apart")


def test_a_seed_that_comes_twice_is_not_a_second_seed():
    twin = replace(BASE, name="workspace")
    assert compare(BASE, [twin, run("focal", 1.5, 2, loss="focal")], bootstrap=100).recipes == ()


def test_a_recipe_of_one_seed_gets_no_interval_over_seeds():
    comparison = compare(BASE, [run("base-18", 1.5, 11, seed=18), run("focal", 2.0, 2, loss="focal")], bootstrap=100)
    assert comparison.recipes[1].differences == {}
    assert comparison.recipes[1].spread == {}
    assert any("One seed of a recipe" in note for note in comparison.notes)


def test_the_same_bootstrap_seed_gives_the_same_comparison():
    other = run("focal", 1.8, 2, loss="focal")
    assert compare(BASE, [other], 150, seed=3) == compare(BASE, [other], 150, seed=3)
    assert compare(BASE, [other], 150, seed=3) != compare(BASE, [other], 150, seed=4)


@pytest.fixture(scope="module")
def comparison():
    others = [run("base-18", 1.5, 11, seed=18), run("rebalanced-and-cleaned", 0.8, 4, variant="cleaned+rebalanced")]
    return compare(BASE, [*others, run("focal [x]", 3.0, 5, loss="focal"), run("focal-18", 3.0, 6, loss="focal", seed=18)], bootstrap=200)


def test_tables_fit_a_hundred_columns_and_show_every_name_and_class(comparison):
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(as_table(comparison))
    console.print(per_class_table(comparison))
    text = console.export_text()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 100
    assert "…" not in text
    assert "focal [x]" in text  # not read as markup
    assert "post-inflammatory hyperpigmentation *" in text
    top1 = comparison.rows[2].headline["top1"]
    assert f"{top1.value:.3f} +{100 * top1.delta:.1f} [+{100 * top1.bounds[0]:.1f}, +{100 * top1.bounds[1]:.1f}]" in text
    assert "over 2 seeds" in text


def test_markdown_tables_are_aligned(comparison):
    text = as_markdown(comparison)
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.M)
    assert len(blocks) == 3
    for block in blocks:
        lines = block.splitlines()
        assert len({len(line) for line in lines}) == 1
        assert len({tuple(i for i, c in enumerate(line) if c == "|") for line in lines}) == 1
    assert all(note in text for note in comparison.notes)


def test_the_page_fetches_nothing_and_names_no_patient(comparison, tmp_path):
    write_html(comparison, tmp_path / "comparison.html")
    assert "Brier and NLL are better when lower" in (tmp_path / "comparison.html").read_text()
    assert "ECE" not in (tmp_path / "comparison.html").read_text()
    page = (tmp_path / "comparison.html").read_text()
    assert not re.search(r"https?:|//[a-z]|src=|<link|<script|@import|url\(", page)
    assert not re.search(r"\bp\d+\b", page)
    assert page.count('class="strip"') == 4 * (len(HEADLINE) + len(TARGETS)) + 3  # and a recipe's three scores
    assert "None" not in page
    assert "nan" not in re.sub(r"[a-z]nan|nan[a-z]", "", page)


def test_with_several_seeds_of_every_recipe_the_table_shows_recipes_with_every_difference(capsys):
    base = [BASE, run("base-18", 1.5, 11, seed=18)]
    focal = [run(f"focal-{seed}", 3.0, seed, seed=seed, loss="focal") for seed in (17, 18)]
    comparison = compare(base[0], [*base[1:], *focal], bootstrap=100)
    Console(width=130).print(as_table(comparison))
    shown = capsys.readouterr().out
    assert "focal-18" not in shown  # single runs stand in the page
    assert "focal-17" in shown
    delta = comparison.recipes[1].differences["rare_recall"].delta
    assert f"{100 * delta:+.1f}" in shown


def test_two_reviews_are_two_recipes_though_their_params_are_the_same():
    runs = [run(f"review-{ledger}-{seed}", 2, seed, seed=seed, variant="relabeled", ledger=ledger) for ledger in "ab" for seed in (17, 18)]
    comparison = compare(BASE, [run("base-18", 1.5, 11, seed=18), *runs], bootstrap=100)
    assert [recipe.name for recipe in comparison.recipes] == ["base", "review-a-17", "review-b-17"]


def test_every_number_of_a_comparison_follows_from_the_raw_predictions(tmp_path):
    """By scikit-learn, SciPy and a plain loop over draws of patients, from the probabilities alone."""
    runs = [BASE, run("base-s18", 1.5, 11, seed=18), run("focal", 2.0, 2, loss="focal"), run("focal-s18", 2.0, 12, seed=18, loss="focal")]
    write_json(compare(runs[0], runs[1:], 2000), tmp_path / "page.json")
    said = json.loads((tmp_path / "page.json").read_text())
    probs = {r.name: r.predictions[[f"prob_{name}" for name in TARGETS]].to_numpy(float) for r in runs}
    labels = pd.Categorical(BASE.predictions["label"], TARGETS).codes
    predicted = {name: p.argmax(1) for name, p in probs.items()}
    rare = [TARGETS.index(name) for name in said["rare"]]

    def headline_of(name: str, at: np.ndarray) -> dict[str, float]:
        truth, call, scores = labels[at], predicted[name][at], probs[name][at]
        recalls = metrics.recall_score(truth, call, labels=rare, average=None, zero_division=0)
        return {
            "top1": metrics.accuracy_score(truth, call),
            "top3": metrics.top_k_accuracy_score(truth, scores / scores.sum(1, keepdims=True), k=3, labels=range(len(TARGETS))),
            "macro_f1": metrics.f1_score(truth, call, average="macro"),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, call),
            "rare_recall": float(np.mean([r for r, c in zip(recalls, rare, strict=True) if (truth == c).any()])),
            "sink_ratio": (call == TARGETS.index(said["sink"])).sum() / (truth == TARGETS.index(said["sink"])).sum(),
        }

    everything = np.arange(len(labels))
    whole = {r.name: headline_of(r.name, everything) for r in runs}
    rows_of = list(BASE.predictions.groupby("patient_id").indices.values())
    random = np.random.default_rng(5)
    draws = [np.concatenate([rows_of[p] for p in random.integers(len(rows_of), size=len(rows_of))]) for _ in range(300)]
    for row in said["rows"]:
        gaps = [(headline_of(row["name"], at), headline_of("base", at)) for at in draws]
        for name, expected in whole["base"].items():
            found = row["headline"][name]
            assert found["baseline"] == pytest.approx(expected)
            assert found["value"] == pytest.approx(whole[row["name"]][name])
            low, high = np.quantile([new[name] - old[name] for new, old in gaps], [0.025, 0.975])
            assert found["bounds"] == pytest.approx([low, high], abs=0.25 * (high - low))
        f1 = {name: metrics.f1_score(labels, predicted[name], average=None) for name in ("base", row["name"])}
        for name, found in row["per_class"].items():
            c = TARGETS.index(name)
            assert (found["baseline"], found["value"]) == pytest.approx((f1["base"][c], f1[row["name"]][c]))
        right = {name: predicted[name] == labels for name in ("base", row["name"])}
        gained, lost = (right[row["name"]] & ~right["base"]).sum(), (right["base"] & ~right[row["name"]]).sum()
        assert (row["gained"], row["lost"]) == (gained, lost)
        assert row["mcnemar_p"] == pytest.approx(binomtest(int(gained), int(gained + lost)).pvalue)
    base, focal = said["recipes"]
    for name in whole["base"]:
        old, new = ([whole[f"{recipe}{seed}"][name] for seed in ("", "-s18")] for recipe in ("base", "focal"))
        assert base["mean"][name] == pytest.approx(np.mean(old))
        assert focal["spread"][name] == pytest.approx(np.std(new, ddof=1))
        interval = ttest_rel(new, old).confidence_interval()
        assert focal["differences"][name]["bounds"] == pytest.approx([interval.low, interval.high])
