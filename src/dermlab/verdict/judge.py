"""The one function that judges: runs in, verdict out. Every command shows what it found, and none adds a word of its own.

Runs whose params differ in nothing but the seed are one recipe. M scores: the headline, then F1 of each of K classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.params import changed_params
from dermlab.scores.differences import ALPHA, Difference
from dermlab.scores.influence import Measured
from dermlab.scores.predictions import UNKNOWN_PATIENTS, knows_patients
from dermlab.verdict.advice import Advice, Facts, advise, told_by_case, told_gaps, told_kept_heads
from dermlab.verdict.apart import HEAD_PLACES, gaps_apart, groups_apart, told_apart
from dermlab.verdict.looks import chance_of_both, level_at, looks_of
from dermlab.verdict.power import Plan
from dermlab.verdict.question import Question
from dermlab.verdict.tested import Run, TestSet
from dermlab.verdict.uncertainty import Estimate, Noise, Runs, estimate, noise_of

FILE = "predictions"  # the one param of a run that somebody's file of predictions is


@dataclass(frozen=True)
class Recipe:
    """Runs that differ in nothing but the seed."""

    name: str  # that of its first run
    runs: tuple[str, ...]
    seeds: tuple[Any, ...]
    mean: dict[str, float]  # of each headline score over the runs, and of the sensitivity of each group of classes
    spread: dict[str, float]  # standard deviation over the runs, empty of one
    classes: dict[str, float]  # mean F1 of each class that was tested
    trained: dict[str, int]  # as of `Run`, the first run's
    changed: dict[str, tuple[Any, Any]]  # param -> (baseline's, this recipe's)
    # against the baseline, empty for the baseline itself
    differences: dict[str, Difference] = field(default_factory=dict)
    class_differences: dict[str, Difference] = field(default_factory=dict)
    group_differences: dict[str, dict[str, Difference]] = field(default_factory=dict)  # group of classes -> score, as of SCORES
    gap_differences: dict[str, Difference] = field(default_factory=dict)  # `attribute: group` of patients -> of its gap
    advice: Advice | None = None
    alpha: float = ALPHA  # level of its intervals: less than what was asked for where a study is looked at before its end (report.looks)
    chance: float | None = None  # that the last look gives an answer, where there are looks
    plans: dict[str, Plan] = field(default_factory=dict)  # of each headline score, in what parts its difference is uncertain


@dataclass(frozen=True)
class Verdict:
    question: Question
    recipes: tuple[Recipe, ...]  # the baseline first
    images: int
    patients: int
    # `images_of`, `patients_of`: of each class in the test split
    images_of: dict[str, int]
    patients_of: dict[str, int]
    rare: tuple[str, ...]
    sink: str
    flagged: dict[str, float]  # as of `Run`, the baseline's
    noise: str  # whose runs told how far two runs of one recipe lie apart
    notes: tuple[str, ...]
    warning: str = ""  # stands before everything else
    by_case: Self | None = None  # of the same runs, a row a case; None where each case is one photo

    @property
    def baseline(self) -> Recipe:
        return self.recipes[0]

    @property
    def judged(self) -> tuple[Recipe, ...]:
        return self.recipes[1:]


def judge(runs: Sequence[Run], question: Question, others: Sequence[Run] = ()) -> Verdict:
    """runs: of all recipes, the baseline's first. A seed that comes twice counts once: `workspace` is often also an experiment. `others`:
    further runs of this source and backbone, which only tell how far runs of one recipe lie apart.

    Raises ContractError where the runs were not scored on the same test images with the same labels, or where a group of classes is
    guarded that the baseline was not run with.
    """
    baseline, groups = runs[0], _by_recipe(runs)
    test = TestSet.of(baseline, runs)
    if question.guarded not in test.judged:
        raise ContractError(
            f"report.guarded is {question.guarded}, no group of classes that {baseline.name} was run with. Groups stand in {paths.GROUPS}; "
            "run it again (`dvc exp run`), which costs seconds where nothing else has changed."
        )
    measured = [{seed: test.measure(run) for seed, run in group.items()} for group in groups]
    noises = noise_of(measured, [{seed: test.measure(run) for seed, run in group.items()} for group in _by_recipe(others)])
    recipes = [_described(list(group.values()), list(of), list(of.values()), test) for group, of in zip(groups, measured, strict=True)]
    of_baseline = [looks_of(run.params) for run in groups[0].values()]
    looks = [max([*of_baseline, *(looks_of(run.params) for run in group.values())], key=len) for group in groups]
    parts = zip(recipes[1:], measured[1:], noises[1:], looks[1:], strict=True)
    judged = [_against(*each, measured[0], noises[0], test, question, len(groups)) for each in parts]
    cases = [run.of_cases() for run in runs] if all(run.knows_cases for run in runs) else []
    by_case = judge(cases, question, [run.of_cases() for run in others if run.knows_cases]) if cases else None
    heads = [[run.kept_its_head for run in group.values()] for group in groups]
    judged = [_with_kept_heads(_with_gaps(recipe), kept, heads[0]) for recipe, kept in zip(judged, heads[1:], strict=True)]
    if by_case:
        judged = [_with_cases(recipe, its, by_case.images) for recipe, its in zip(judged, by_case.judged, strict=True)]
    return Verdict(
        question=question,
        recipes=(recipes[0], *judged),
        images=len(test.rows),
        patients=test.patients,
        images_of=test.images_of,
        patients_of=test.patients_of,
        rare=test.rare,
        sink=test.sink,
        flagged=baseline.flagged,
        noise=noises[0].source,
        notes=_notes(test, noises, [recipes[0], *judged], question),
        by_case=by_case,
        warning=" ".join(filter(None, ["" if knows_patients(test.rows) else UNKNOWN_PATIENTS, _asked_otherwise(runs, question)])),
    )


def _described(runs: Sequence[Run], seeds: Sequence[Any], measured: Sequence[Measured], test: TestSet) -> Recipe:
    """A recipe by itself."""
    first, values = runs[0], np.stack([run.values for run in measured])
    return Recipe(
        name=first.name,
        runs=tuple(run.name for run in runs),
        seeds=tuple(seeds),
        mean={name: float(values[:, at].mean()) for name, at in test.judged.items()},
        spread={name: float(values[:, at].std(ddof=1)) for name, at in test.judged.items()} if len(runs) > 1 else {},
        classes={name: float(values[:, at].mean()) for name, at in test.tested.items()},
        trained=first.trained,
        changed=_changed(test.baseline, first),
    )


def _against(
    recipe: Recipe,
    runs: Runs,
    noise: Noise,
    looks: Sequence[int],
    baseline: Runs,
    of_baseline: Noise,
    test: TestSet,
    question: Question,
    recipes: int,
) -> Recipe:
    """The recipe with its differences and the advice."""
    found, seeds = estimate(runs, baseline, noise, of_baseline), min(len(runs), len(baseline))
    plans = plans_of(found, noise, of_baseline, test.patients, seeds, recipes, question.alpha, test.judged)
    plan = plans[question.primary]
    paid = replace(question, alpha=level_at(looks, seeds, plan, question.alpha))
    differences, classes = told_apart(found, baseline, test.behind, test.tested, paid, test.judged)
    is_file = FILE in (*recipe.changed, *test.baseline.params)
    behind = {name: int(test.behind[at]) for name, at in test.judged.items()}
    facts = Facts(
        test.rare, test.sink, test.baseline.flagged, test.baseline.trained, behind, noise.source, len(runs), len(baseline), is_file
    )
    return replace(
        recipe,
        differences=differences,
        class_differences=classes,
        group_differences=groups_apart(found, baseline, test.behind, test.groups, differences, paid),
        gap_differences=gaps_apart(found, baseline, test.behind, test.gaps, paid),
        advice=advise(recipe.name, recipe.changed, recipe.trained, differences, classes, question, facts, plans),
        alpha=paid.alpha,
        chance=chance_of_both(differences, plans, looks, question) if looks else None,
        plans=plans,
    )


def _with_gaps(recipe: Recipe) -> Recipe:
    """What the gaps show is described, and advises nothing."""
    return replace(recipe, advice=replace(recipe.advice, reasons=(*recipe.advice.reasons, *told_gaps(recipe.gap_differences))))


def _with_kept_heads(recipe: Recipe, kept: Sequence[bool], of_baseline: Sequence[bool]) -> Recipe:
    said = told_kept_heads(recipe.name, kept, of_baseline)
    return replace(recipe, advice=replace(recipe.advice, reasons=(*recipe.advice.reasons, *said)))


def _with_cases(recipe: Recipe, by_case: Recipe, cases: int) -> Recipe:
    """What the cases show is described, and advises nothing: the question was put of photos."""
    said = told_by_case(by_case.differences, cases)
    return replace(recipe, advice=replace(recipe.advice, reasons=(*recipe.advice.reasons, said)))


def plans_of(
    found: Estimate,
    noise: Noise,
    of_baseline: Noise,
    patients: int,
    seeds: int,
    recipes: int,
    alpha: float,
    places: Mapping[str, int] = HEAD_PLACES,
) -> dict[str, Plan]:
    total, of_patients = (noise.total + of_baseline.total) / 2, (noise.of_patients + of_baseline.of_patients) / 2
    parts = (found.shared, total, of_patients)
    return {name: Plan(*(float(part[at]) for part in parts), patients, seeds, recipes, noise.pool, alpha) for name, at in places.items()}


def _by_recipe(runs: Sequence[Run]) -> list[dict[Any, Run]]:
    groups: dict[str, dict[Any, Run]] = {}
    for run in runs:
        groups.setdefault(run.recipe, {}).setdefault(run.params.get("seed"), run)
    return list(groups.values())


def _changed(baseline: Run, run: Run) -> dict[str, tuple[Any, Any]]:
    if FILE in baseline.params or FILE in run.params:
        return {} if run is baseline else {FILE: (baseline.params.get(FILE, "a run"), run.params.get(FILE, "a run"))}
    changed = {key: values for key, values in changed_params(baseline.params, run.params).items() if key != "seed"}
    files = sorted({file for file, digest in (baseline.code.items() ^ run.code.items())}) if baseline.code and run.code else []
    if files:
        shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
        changed["code and data"] = ("as it was", shown)
    return changed


def _notes(test: TestSet, noises: Sequence[Noise], recipes: Sequence[Recipe], question: Question) -> tuple[str, ...]:
    seeds = ", ".join(f"{recipe.name} {len(recipe.runs)}" for recipe in recipes)
    notes = [
        f"Intervals: {100 * (1 - question.alpha):g} %, over patients ({test.patients:,}, the same for all) and over trainings "
        f"(runs: {seeds}). How far two runs of one recipe lie apart: from {noises[0].source}."
    ]
    wide = [recipe.name for recipe, noise in zip(recipes, noises, strict=True) if _lies_apart(noise, noises)]
    if wide:
        notes.append(f"The runs of {', '.join(wide)} lie much farther apart than the others', which widens every interval here.")
    early = [f"{recipe.name} {100 * (1 - recipe.alpha):.2f} %" for recipe in recipes[1:] if recipe.alpha < question.alpha]
    if early:
        notes.append(
            f"The study may be looked at before its end (`report.looks`), and each look is paid for: the intervals are wider "
            f"({', '.join(early)}), so that all looks together keep to {100 * (1 - question.alpha):g} %."
        )
    if test.reference:
        notes.append(
            f"Of {len(test.reference.rows):,} of {len(test.rows):,} photos raters gave several labels: intervals are also over which "
            "of these is the truth, the same for all recipes."
        )
    if test.patients < 30:
        notes.append(f"Only {test.patients} patients were tested: intervals from so few are too narrow.")
    return tuple(notes)


def _asked_otherwise(runs: Sequence[Run], question: Question) -> str:
    """A question that is put after the results are known gets the answer that somebody wants."""
    other = {}
    for run in runs:
        report = run.params.get("report") if isinstance(run.params.get("report"), Mapping) else {}
        now = {"primary": question.primary, "guarded": question.guarded, "margin": question.margin}
        if then := {key: report[key] for key, value in now.items() if key in report and report[key] != value}:
            other.setdefault(", ".join(f"report.{key}={value}" for key, value in then.items()), []).append(run.name)
    said = "; ".join(f"{', '.join(names[:3])}{' and others' if len(names) > 3 else ''} with {asked}" for asked, names in other.items())
    return f"Asked otherwise when it was run: {said}. The advice answers the question that is asked now." if said else ""


def _lies_apart(noise: Noise, noises: Sequence[Noise]) -> bool:
    """By top-1: four times the standard deviation that the others have."""
    others = [float(other.total[0]) for other in noises if other is not noise]
    return bool(others) and float(noise.total[0]) > 16 * max(np.median(others), 1e-12)
