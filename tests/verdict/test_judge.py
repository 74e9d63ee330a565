"""Differences of recipes: what is the same is no difference, what is better everywhere is better, and what is not comparable is refused."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_runs import BASE, PARAMS, TARGETS, judged, one_hot, run
from sklearn import metrics

from dermlab.report.render import points
from dermlab.run.errors import ContractError
from dermlab.scores.cases import Pooling
from dermlab.scores.headline import HEADLINE
from dermlab.scores.predictions import case_predictions
from dermlab.verdict.judge import judge
from dermlab.verdict.question import Question
from dermlab.verdict.tested import Run


def seeds_of(name: str, skill: float, first: int, **params) -> list:
    return [run(name if seed == 17 else f"{name}-s{seed}", skill, first + seed, seed=seed, **params) for seed in (17, 18, 19)]


def test_runs_of_other_machines_are_seeds_of_one_recipe():
    """params.yaml says how the work is done too."""
    slow, fast = (run(f"s{n}", 1.5, n, seed=n, machine={"workers": n, "usd_per_hour": n}) for n in (17, 18))
    assert slow.recipe == fast.recipe
    assert slow.recipe != run("other", 1.5, 1, seed=17, loss="focal").recipe


def test_a_model_against_itself_differs_by_nothing_but_what_trainings_differ():
    (twin,) = judged(BASE, replace(BASE, name="twin", params={**PARAMS, "loss": "focal"})).judged
    for difference in (*twin.differences.values(), *twin.class_differences.values()):
        assert difference.delta == 0
        assert difference.verdict == "not told apart"
    top1 = twin.differences["top1"]
    assert top1.of_patients == (0, 0)
    assert top1.bounds == pytest.approx((-1.96 * 0.006 * 2**0.5, 1.96 * 0.006 * 2**0.5), rel=0.01)  # of two single runs, as the field found
    assert twin.advice.word == "not enough to decide"
    assert twin.advice.reasons[0].startswith("Its runs predict what the baseline's do")


def test_a_run_that_is_better_on_every_patient_is_better_and_the_other_way_round_worse():
    first = ~BASE.predictions.duplicated("patient_id").to_numpy()  # wrong on one image of each patient, against none
    worse, better = one_hot(BASE, "worse", ~first), one_hot(BASE, "better", np.ones(len(first), bool))
    better = replace(better, params={**PARAMS, "loss": "focal"})
    (found,) = judged(worse, better).judged
    top1 = found.differences["top1"]
    assert top1.delta == pytest.approx(first.mean())
    assert 0 < top1.bounds[0] < top1.delta <= top1.bounds[1]  # of a score that cannot exceed 1
    assert (top1.verdict, found.advice.word) == ("better", "take it")
    (back,) = judged(better, worse).judged
    assert (back.differences["top1"].verdict, back.advice.word) == ("worse", "leave it")
    assert back.differences["top1"].bounds[1] == pytest.approx(-top1.bounds[0])


def test_patients_are_the_same_for_both():
    """Two models that fail on the same images differ by little, however uncertain each of them is."""
    other = one_hot(BASE, "other", np.random.default_rng(3).random(400) < 0.5)
    almost = other.predictions.copy()
    almost.loc[:3, "prob_other"] = 0.5  # changes no ranking of the targets
    (found,) = judged(other, replace(other, name="almost", predictions=almost, params={**PARAMS, "loss": "focal"})).judged
    assert found.differences["top1"].of_patients == (0, 0)


def test_a_proper_score_is_better_when_lower():
    right = np.random.default_rng(2).random(400) < 0.6
    sinking, sound = one_hot(BASE, "sinking", right), one_hot(BASE, "sound", np.ones(400, bool))
    (found,) = judged(sinking, replace(sound, params={**PARAMS, "loss": "focal"})).judged
    assert found.differences["sink_ratio"].baseline > 1.1
    assert found.differences["sink_ratio"].verdict == "not told apart"  # it is described in words, and has no arrow
    for name in ("brier", "nll"):
        assert found.differences[name].delta < 0
        assert found.differences[name].verdict == "better"
    assert "ece" not in found.differences


def test_a_class_of_few_patients_gets_no_verdict():
    frame = BASE.predictions
    rare = frame.index[frame["label"] == TARGETS[-1]]
    kept = frame.drop(rare[9:]).reset_index(drop=True)
    base = replace(BASE, predictions=kept)
    none = one_hot(base, "none", (kept["label"] != TARGETS[-1]).to_numpy())
    (found,) = judged(one_hot(base, "all", np.ones(len(kept), bool)), replace(none, params={**PARAMS, "loss": "focal"})).judged
    assert found.class_differences[TARGETS[-1]].delta == -1
    assert found.class_differences[TARGETS[-1]].bounds is None
    assert found.class_differences[TARGETS[-1]].verdict == "too few patients"


def test_runs_on_other_images_labels_or_classes_are_refused():
    fewer = replace(BASE, name="fewer", predictions=BASE.predictions.iloc[3:].reset_index(drop=True), params={**PARAMS, "loss": "bce"})
    with pytest.raises(ContractError, match=r"base and fewer cannot be compared: .*different images \(3 only in base, 0 only in fewer\)"):
        judged(BASE, fewer)
    changed = BASE.predictions.copy()
    changed.loc[0, "label"] = "wart" if changed.loc[0, "label"] != "wart" else "acne"
    with pytest.raises(ContractError, match="1 of 400 test images have different labels. Test labels are frozen"):
        judged(BASE, replace(fewer, predictions=changed))
    with pytest.raises(ContractError, match="their classes differ"):
        judged(BASE, replace(fewer, predictions=BASE.predictions.drop(columns="prob_wart")))


def test_rows_in_another_order_are_the_same_run():
    shuffled = BASE.predictions.sample(frac=1, random_state=0).reset_index(drop=True)
    (found,) = judged(BASE, replace(BASE, predictions=shuffled, params={**PARAMS, "loss": "focal"})).judged
    assert found.differences["macro_f1"].of_patients == (0, 0)


def test_what_changed_leaves_out_the_seed_and_the_report_block_and_names_code():
    other = replace(
        run("focal", 1.5, 2, loss="focal", seed=18, train={"lr": 0.2}, report={"margin": 0.1}), code={"src/a.py": "1", "src/b.py": "2"}
    )
    (found,) = judged(replace(BASE, code={"src/a.py": "1", "src/b.py": "1"}), other).judged
    assert found.changed == {"loss": ("ce", "focal"), "train.lr": (0.1, 0.2), "code and data": ("as it was", "src/b.py")}


def test_runs_that_differ_in_the_seed_alone_are_one_recipe_whatever_their_order():
    base, focal = seeds_of("base", 1.5, 0), seeds_of("focal", 2.0, 50, loss="focal")
    found = judged(base[0], focal[2], base[1], focal[0], base[2], focal[1])
    assert [recipe.name for recipe in found.recipes] == ["base", "focal-s19"]
    assert found.baseline.runs == ("base", "base-s18", "base-s19")
    top1 = []
    for each in (*base, *focal):
        probs = each.predictions[[f"prob_{name}" for name in TARGETS]].to_numpy()
        top1.append((np.array(TARGETS)[probs.argmax(1)] == each.predictions["label"]).mean())
    assert found.baseline.mean["top1"] == pytest.approx(np.mean(top1[:3]))
    assert found.baseline.spread["top1"] == pytest.approx(np.std(top1[:3], ddof=1))
    assert found.judged[0].differences["top1"].delta == pytest.approx(np.mean(top1[3:]) - np.mean(top1[:3]))


def test_a_seed_that_comes_twice_is_not_a_second_seed():
    found = judged(BASE, replace(BASE, name="workspace"), run("focal", 1.5, 2, loss="focal"))
    assert [recipe.runs for recipe in found.recipes] == [("base",), ("focal",)]


def test_two_reviews_are_two_recipes_though_their_params_are_the_same():
    runs = [run(f"review-{ledger}-{seed}", 2, seed, seed=seed, variant="relabeled", ledger=ledger) for ledger in "ab" for seed in (17, 18)]
    assert [recipe.name for recipe in judged(BASE, *runs).recipes] == ["base", "review-a-17", "review-b-17"]


def test_other_runs_tell_how_far_trainings_lie_apart_and_are_not_shown():
    other = run("focal", 1.8, 5, loss="focal")
    alone = judged(BASE, other)
    known = judge(
        [BASE, other], Question(), [run(f"bce-{seed}", 1 + (seed - 17), 90 + seed, loss="bce", seed=seed) for seed in (17, 18, 19)]
    )
    assert [recipe.name for recipe in known.recipes] == ["base", "focal"]
    widths = [np.ptp(found.judged[0].differences["top1"].bounds) for found in (alone, known)]
    assert widths[1] > 2 * widths[0]
    assert "the field" in alone.noise
    assert "other runs" in known.noise


def test_two_recipes_differ_by_the_same_whoever_stands_beside_them():
    base, focal, wild = seeds_of("base", 1.5, 0), seeds_of("focal", 1.7, 50, loss="focal"), seeds_of("wild", 0.9, 90, loss="bce")
    whole, pair = judged(*base, *focal, *wild), judge([*base, *focal], Question(), wild)
    for name, difference in whole.judged[0].differences.items():
        assert difference.bounds == pytest.approx(pair.judged[0].differences[name].bounds)


def test_every_mean_of_a_verdict_follows_from_the_raw_predictions():
    """By scikit-learn, from the probabilities alone."""
    runs = [BASE, run("base-s18", 1.5, 11, seed=18), run("focal", 2.0, 2, loss="focal"), run("focal-s18", 2.0, 12, seed=18, loss="focal")]
    found = judged(*runs)
    labels = pd.Categorical(BASE.predictions["label"], TARGETS).codes
    rare = [TARGETS.index(name) for name in found.rare]

    def headline_of(each) -> dict[str, float]:
        probs = each.predictions[[f"prob_{name}" for name in TARGETS]].to_numpy(float)
        probs, call = probs / probs.sum(1, keepdims=True), probs.argmax(1)
        return {
            "top1": metrics.accuracy_score(labels, call),
            "top3": metrics.top_k_accuracy_score(labels, probs, k=3, labels=range(len(TARGETS))),
            "macro_f1": metrics.f1_score(labels, call, average="macro"),
            "balanced_accuracy": metrics.balanced_accuracy_score(labels, call),
            "rare_recall": metrics.recall_score(labels, call, labels=rare, average="macro"),
            "sink_ratio": (call == TARGETS.index(found.sink)).sum() / (labels == TARGETS.index(found.sink)).sum(),
            "brier": metrics.brier_score_loss(labels, probs, scale_by_half=False),
            "nll": metrics.log_loss(labels, probs),
        }

    whole = [headline_of(each) for each in runs]
    for name in HEADLINE:
        assert found.baseline.mean[name] == pytest.approx(np.mean([of[name] for of in whole[:2]]), rel=1e-5)
        assert found.judged[0].mean[name] == pytest.approx(np.mean([of[name] for of in whole[2:]]), rel=1e-5)
    f1 = [metrics.f1_score(labels, each.predictions[[f"prob_{n}" for n in TARGETS]].to_numpy().argmax(1), average=None) for each in runs]
    for c, name in enumerate(TARGETS):
        expected = (f1[2][c] + f1[3][c] - f1[0][c] - f1[1][c]) / 2
        assert found.judged[0].class_differences[name].delta == pytest.approx(expected)


def test_the_point_lies_within_the_interval_and_the_same_runs_give_the_same_verdict():
    runs = [*seeds_of("base", 1.5, 0), *seeds_of("focal", 1.7, 50, loss="focal")]
    found = judged(*runs)
    for d in (*found.judged[0].differences.values(), *found.judged[0].class_differences.values()):
        assert d.bounds is None or d.bounds[0] <= d.delta <= d.bounds[1]
    assert found == judged(*runs)


def with_cases(of: Run, case: Callable[[int], int]) -> Run:
    """Its photos i of one case by `case(i)`; the first photo's label and patient are the case's."""
    frame = of.predictions.assign(case_id=[f"c{case(i):04d}" for i in range(len(of.predictions))])
    first = frame.groupby("case_id")[["label", "diagnosis", "patient_id"]].transform("first")
    return replace(of, predictions=frame.assign(**first), pooling=Pooling())


def test_by_case_the_same_runs_are_judged_on_one_answer_a_case_and_that_advises_nothing():
    base, new = (with_cases(each, lambda i: i // 2) for each in (BASE, run("focal", 1.9, 5, loss="focal")))
    found = judged(base, new)
    assert found.by_case.images == len(base.predictions) // 2
    assert found.patients == found.by_case.patients
    alone = judged(*(replace(each, predictions=case_predictions(each.predictions, Pooling()), pooling=None) for each in (base, new)))
    assert found.by_case.judged[0].differences == alone.judged[0].differences
    d = alone.judged[0].differences["top1"]
    said = found.judged[0].advice.reasons[-1]
    assert said.startswith(f"By case ({found.by_case.images}), several photos answered as one: top-1 {points(d.delta)} points")
    by_photo = judged(*(replace(each, pooling=None) for each in (base, new)))
    assert by_photo.by_case is None
    assert by_photo.judged[0].advice == replace(found.judged[0].advice, reasons=found.judged[0].advice.reasons[:-1])


def test_a_score_of_classes_without_a_test_photo_is_said_to_be_that():
    def without(of: Run) -> Run:
        rare = of.predictions["label"].isin(("wart", "post-inflammatory hyperpigmentation"))
        return replace(of, predictions=of.predictions[~rare].reset_index(drop=True))

    (found,) = judged(without(run("base", 1.5, 1)), without(run("other", 1.5, 2, loss="focal"))).judged
    assert "No test photo is of the classes that rare recall is of: more test patients, or another score." in found.advice.reasons


def test_runs_whose_frozen_head_was_kept_are_told():
    def of(name: str, seed: int, phase: str, epochs: int = 2) -> Run:
        made = run(name, 1.5, seed, seed=seed, train={"lr": 0.1 if name == "base" else 0.2, "finetune_epochs": epochs})
        return replace(made, best_phase=phase)

    def said(*runs: Run) -> list[str]:
        return [reason for reason in judged(*runs).judged[0].advice.reasons if reason.startswith("Fine-tuning did not win")]

    lora = [of("lora", 1, "frozen"), of("lora", 2, "finetune")]
    begins = "Fine-tuning did not win on validation, and the frozen head was kept: in 1 of 2 runs of lora"
    assert said(of("base", 1, "finetune"), *lora) == [f"{begins}."]
    assert said(of("base", 1, "frozen"), *lora) == [f"{begins} and in 1 of 1 runs of the baseline."]
    assert said(of("base", 1, ""), lora[1]) == []
    assert said(of("base", 1, "frozen", epochs=0), of("lora", 1, "frozen", epochs=0)) == []  # nobody asked for more


def test_where_one_run_knows_no_cases_nothing_is_said_of_them():
    base, new = with_cases(BASE, lambda i: i // 2), with_cases(run("focal", 1.9, 5, loss="focal"), lambda i: i // 2)
    assert judged(base, replace(new, pooling=None)).by_case is None
    assert judged(base, replace(new, predictions=new.predictions.drop(columns="case_id"))).by_case is None


def test_where_raters_disagree_an_interval_is_also_over_what_the_truth_is_and_says_so():
    """A recipe that is right about photos which a third of the raters calls something else, against one that says what that third does."""
    images = BASE.predictions["image_id"]
    disputed = images.str[-1].isin(["0", "5"]).to_numpy()
    better, worse = one_hot(replace(BASE, params={**PARAMS, "loss": "focal"}), "new", np.ones(400, bool)), one_hot(BASE, "base", ~disputed)
    third = [
        ((label, 2 / 3), ("acne" if label == "eczema" else "eczema", 1 / 3)) if differ else None
        for label, differ in zip(BASE.predictions["label"], disputed, strict=True)
    ]

    def rated(of: Run) -> Run:
        return replace(of, predictions=of.predictions.assign(labels=third, votes=3.0))

    sure, open_ = (judged(*runs, margin=0.01) for runs in ((worse, better), (rated(worse), rated(better))))
    of_sure, of_open = (verdict.judged[0].differences["top1"] for verdict in (sure, open_))
    assert of_open.delta == of_sure.delta  # as the metrics have it
    wider = (of_open.bounds[1] - of_open.bounds[0]) / (of_sure.bounds[1] - of_sure.bounds[0])
    assert 1.1 < wider < 2
    assert any("Of 80 of 400 photos raters gave several labels" in note for note in open_.notes)
    assert not any("raters" in note for note in sure.notes)


def test_what_raters_said_holds_whichever_run_s_file_says_it_and_may_not_differ():
    other = replace(one_hot(BASE, "new", np.ones(400, bool)), params={**PARAMS, "loss": "focal"})
    half = [((label, 0.5), ("acne" if label != "acne" else "wart", 0.5)) for label in BASE.predictions["label"]]
    rated, new = (replace(of, predictions=of.predictions.assign(labels=half, votes=2.0)) for of in (BASE, other))
    widths = {
        names: np.diff(judged(*pair).judged[0].differences["top1"].bounds)[0]
        for names, pair in {"both": (rated, new), "first": (rated, other), "second": (BASE, new)}.items()
    }
    assert widths["both"] == widths["first"] == widths["second"] > np.diff(judged(BASE, other).judged[0].differences["top1"].bounds)[0]
    with pytest.raises(ContractError, match="raters said something else of 1 of 400 test images"):
        judged(rated, replace(new, predictions=new.predictions.assign(labels=[None, *half[1:]])))
