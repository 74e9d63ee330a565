"""Advice, by the rules in RULES and by nothing else: from the two scores that were asked for, decided before the result was known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from dermlab.report.render import SCORE_LABELS, in_points, percent, points, points_bounds
from dermlab.scores.bootstrap import MIN_PATIENTS
from dermlab.scores.differences import BETTER, NOT_APART, TOO_FEW, WORSE, Difference
from dermlab.scores.headline import HEADLINE
from dermlab.verdict.power import Plan
from dermlab.verdict.question import Question

TAKE, AS_GOOD, LEAVE, NOT_ENOUGH = "take it", "as good as", "leave it", "not enough to decide"


def rules(question: Question) -> tuple[str, ...]:
    primary, guarded, margin = SCORE_LABELS[question.primary], SCORE_LABELS[question.guarded], in_points(question.margin)
    return (
        f"Asked beforehand: `report.primary` is {primary}, `report.guarded` is {guarded}, `report.margin` is {margin}, the loss that would "
        "not matter.",
        f"Take it: {primary} is better, and the interval of {guarded} rules out a loss of more than {margin}.",
        f"As good as: the intervals of both lie within {margin} of zero.",
        f"Leave it: {primary} or {guarded} is worse.",
        "Not enough to decide: anything else. What it would take is said with it.",
        "Better: the interval of the difference lies above zero. Worse: below, and it holds for the two scores together (Holm). Where "
        "nothing differs, one recipe in forty is advised for, and one in forty against.",
        "Everything else is described: an arrow where it holds among all of what is described (other scores and single classes, Holm). "
        "Without an arrow: not told apart, also where its interval leaves out zero: of so many, some do by chance.",
        "Interval: over patients and over trainings together. The thick part of its line is patients alone.",
    )


@dataclass(frozen=True)
class Facts:
    """Of the test set, the baseline and the runs, which sentences need."""

    rare: tuple[str, ...]
    sink: str
    flagged: Mapping[str, float]  # share of each class's rows whose label was doubted
    trained: Mapping[str, int]  # rows of each class that the baseline trained on
    behind: Mapping[str, int]  # the patients that each headline score rests on
    noise: str  # whose runs told how far two runs of one recipe lie apart
    # `runs`, `baseline_runs`: how many there are of the recipe and of the baseline
    runs: int
    baseline_runs: int
    is_file: bool  # one of them is a file of predictions, which has no seeds


@dataclass(frozen=True)
class Advice:
    word: str  # TAKE, AS_GOOD, LEAVE or NOT_ENOUGH
    sentence: str  # the recipe, the advice and the two scores that it rests on
    reasons: tuple[str, ...]  # what else was seen, in sentences


def decide(primary: Difference, guarded: Difference, margin: float) -> str:
    """The word. A score of too few patients can be neither worse nor within the margin."""
    if primary.verdict == BETTER and guarded.bounds is not None and guarded.bounds[0] >= -margin:
        return TAKE
    if all(d.bounds is not None and -margin <= d.bounds[0] and d.bounds[1] <= margin for d in (primary, guarded)):
        return AS_GOOD
    return LEAVE if WORSE in (primary.verdict, guarded.verdict) else NOT_ENOUGH


def advise(
    name: str,
    changed: Mapping[str, tuple[Any, Any]],
    trained: Mapping[str, int],
    differences: Mapping[str, Difference],
    classes: Mapping[str, Difference],
    question: Question,
    facts: Facts,
    plans: Mapping[str, Plan],
) -> Advice:
    """`plans`: of each score, what would tell a difference apart."""
    asked = {score: differences[score] for score in dict.fromkeys((question.primary, question.guarded))}
    primary, guarded = differences[question.primary], differences[question.guarded]
    word = decide(primary, guarded, question.margin)
    told = "; ".join(_told(SCORE_LABELS[score], d) for score, d in asked.items())
    sentence = f"{name}: {word}{' the baseline' if word == AS_GOOD else ''}. {told[0].upper()}{told[1:]}."
    reasons = []
    if all(d.delta == 0 and d.of_patients == (0, 0) for d in (*asked.values(), differences["nll"])):
        reasons.append("Its runs predict what the baseline's do: what differs in its params changed nothing here.")
    elif word == NOT_ENOUGH:
        reasons.append(_what_is_missing(primary, guarded, question, plans, facts))
    if word == NOT_ENOUGH and guarded.verdict == BETTER and primary.verdict != BETTER:
        label = SCORE_LABELS[question.guarded]
        reasons.append(
            f"{label[0].upper()}{label[1:]}, which was only guarded, is better. Where it is the aim, say so beforehand: `report.primary`."
        )
    if word == LEAVE and {"cleaned", "agreed"} & set(str(changed.get("variant", ("", ""))[1]).split("+")):
        reasons.append(
            "Dropping flagged rows took good examples with the bad: have the doubtful ones looked at (`dermlab review`), drop what is no "
            "photo of the kind; for rare classes try more photos, `variant=rebalanced` or a loss for the long tail."
        )
    if word in (TAKE, LEAVE) and not facts.is_file and 1 in (facts.runs, facts.baseline_runs):
        who = "One run each" if facts.runs == facts.baseline_runs else f"One run of {name if facts.runs == 1 else 'the baseline'}"
        reasons.append(f"{who}: how far its trainings lie apart is known from {facts.noise} alone. Run two seeds more.")
    noisy = [
        SCORE_LABELS[score] for score, d in asked.items() if d.verdict == NOT_APART and d.of_patients and not _holds_zero(d.of_patients)
    ]
    if noisy:
        reasons.append(
            f"On these patients the runs differ in {' and '.join(noisy)}, but no more than runs of one recipe do: within run-to-run noise."
        )
    reasons += [*_arrows(differences, classes, asked), *_rare_classes(classes, facts), *_flagged(classes, facts), *_rows(trained, facts)]
    reasons.append(_sink(facts.sink, differences["sink_ratio"]))
    return Advice(word, sentence, tuple(reasons))


def told_gaps(differences: Mapping[str, Difference]) -> list[str]:
    """Whether the change widened a gap between groups of patients. differences: of the gap of each, worse where it is wider."""
    known = {group.replace("_", " "): d for group, d in differences.items() if d.bounds}
    if not known:
        return []

    def told(names: Iterable[str]) -> str:
        return "; ".join(f"{name} {points(known[name].baseline)} to {points(known[name].value)}, {_change(known[name])}" for name in names)

    said = []
    for word, way in ((WORSE, "wider"), (BETTER, "narrower")):
        if names := [name for name, d in known.items() if d.verdict == word]:
            said.append(f"For whom it is worse: a gap became {way}, {told(names)}.")
    if not any(d.verdict == WORSE for d in known.values()):
        widest = max(known, key=lambda name: known[name].baseline)
        said.append(
            f"For whom it is worse: of {len(known)} gaps between groups of patients none is told to be wider. The baseline's widest, "
            f"{told([widest])}."
        )
    return said


def told_kept_heads(name: str, kept: Sequence[bool], of_baseline: Sequence[bool]) -> list[str]:
    """Of which runs the frozen head was tested, though they were fine-tuned: what is set of fine-tuning then made no difference. `kept`: of
    each run of the recipe."""
    said = [f"in {sum(of)} of {len(of)} runs of {whose}" for whose, of in ((name, kept), ("the baseline", of_baseline)) if any(of)]
    return [f"Fine-tuning did not win on validation, and the frozen head was kept: {' and '.join(said)}."] if said else []


def told_by_case(differences: Mapping[str, Difference], cases: int) -> str:
    """The scores that a clinic is asked for, of `cases` test cases of target classes instead of their photos."""
    scores = ("top1", "top3", "balanced_accuracy", "rare_recall")
    told = "; ".join(_told(SCORE_LABELS[name], differences[name]) for name in scores)
    return f"By case ({cases:,}), several photos answered as one: {told}."


def _told(label: str, d: Difference) -> str:
    """What is not told apart has no word: its interval says so, and the advice."""
    return f"{label} {_change(d)}" + (f", {d.verdict}" if d.verdict != NOT_APART else "")


def _change(d: Difference) -> str:
    return f"{points(d.delta)} points {points_bounds(d.bounds)}".strip()


def _holds_zero(bounds: tuple[float, float]) -> bool:
    return bounds[0] <= 0 <= bounds[1]


def _what_is_missing(primary: Difference, guarded: Difference, question: Question, plans: Mapping[str, Plan], facts: Facts) -> str:
    """Of the score that stands in the way."""
    labels = {score: SCORE_LABELS[score] for score in (question.primary, question.guarded)}
    for score, d in ((question.primary, primary), (question.guarded, guarded)):
        if d.verdict == TOO_FEW and not isfinite(d.delta) and score in HEADLINE:
            return f"No test photo is of the classes that {labels[score]} is of: more test patients, or another score."
        if d.verdict == TOO_FEW and not isfinite(d.delta):
            return (
                f"Of {score}, validation has too few patients to choose from which probability on a photo is called so, or the recipes "
                "were run with other groups of classes. Another `report.guarded`, or more patients."
            )
        if d.verdict == TOO_FEW:
            return (
                f"{labels[score][0].upper()}{labels[score][1:]} rests on {facts.behind[score]} of the test patients, and {MIN_PATIENTS} "
                f"are the least for an interval. More of them, or another `report.{'primary' if score == question.primary else 'guarded'}`."
            )
    if facts.is_file:
        return "A file of predictions has no seeds: more test patients, or the runs that made it, would tell more."
    size, plan = max(abs(primary.delta), question.margin), plans[question.primary]
    if primary.verdict != BETTER and plan.tells(plan.seeds, plan.patients) > size:
        return f"Of {labels[question.primary]}, {plan.needed(size)}."
    if primary.verdict != BETTER and guarded.bounds[0] >= -question.margin:
        return (
            f"A difference of {in_points(size)} of {labels[question.primary]} would have been told apart four times in five; to be as good "
            f"as the baseline, its interval has to lie within {in_points(question.margin)}."
        )
    room = guarded.delta + question.margin
    lost = f"A loss of {in_points(max(0.0, -guarded.bounds[0]))} of {labels[question.guarded]} is not ruled out"
    return f"{lost}: {plans[question.guarded].needed(room)}." if room > 0 else f"{lost}, and it was lower by more than the margin allows."


def _arrows(differences: Mapping[str, Difference], classes: Mapping[str, Difference], asked: Mapping[str, Difference]) -> list[str]:
    said = []
    for word in (WORSE, BETTER):
        scores = [
            SCORE_LABELS[score] for score, d in differences.items() if d.verdict == word and score not in asked and score != "sink_ratio"
        ]
        found = sorted(((d.delta, name) for name, d in classes.items() if d.verdict == word), key=lambda pair: -abs(pair[0]))
        more = [f"and {len(found) - 5} more class{'es' if len(found) > 6 else ''}"] if len(found) > 5 else []
        named = [*scores, *(f"{name} {points(delta)}" for delta, name in found[:5]), *more]
        if named:
            said.append(f"Also {word}: {', '.join(named)}.")
    return said or ["No other score and no single class is told apart."]


def _rare_classes(classes: Mapping[str, Difference], facts: Facts) -> list[str]:
    names = [name for name in facts.rare if name in classes]
    down, up = (sum(1 for name in names if sign * classes[name].delta > 0) for sign in (-1, 1))
    return [f"F1 of the {len(names)} rare class{'es' if len(names) > 1 else ''}: {down} lower, {up} higher."] if names else []


def _flagged(classes: Mapping[str, Difference], facts: Facts) -> list[str]:
    """How the classes fared whose labels are doubted most: hard and rare looks like mislabelled."""
    known = [name for name in classes if facts.flagged.get(name)]
    if len(known) < 6:
        return []
    most = sorted(known, key=lambda name: -facts.flagged[name])[: len(known) // 3]
    down = sum(classes[name].delta < 0 for name in most)
    return [
        f"Of the {len(most)} classes with the most doubted labels ({percent(facts.flagged[most[-1]])} to "
        f"{percent(facts.flagged[most[0]])} of their rows) {down} have a lower F1."
    ]


def _rows(trained: Mapping[str, int], facts: Facts) -> list[str]:
    if not trained:  # predictions that somebody else's model made
        return []
    ours, theirs = sum(facts.trained.values()), sum(trained.values())
    if not ours or ours == theirs:
        return []
    left_out = {name: 1 - trained.get(name, 0) / count for name, count in facts.trained.items() if count}
    most = sorted((name for name in left_out if left_out[name] > 0), key=lambda name: -left_out[name])[:3]
    said = f"It trained on {abs(theirs - ours):,} rows {'fewer' if theirs < ours else 'more'} ({percent(abs(theirs - ours) / ours)})"
    return [said + (f", most left out of {', '.join(f'{name} ({percent(left_out[name])})' for name in most)}" if most else "") + "."]


def _sink(name: str, d: Difference) -> str:
    if not isfinite(d.value):
        return f"{name}, the commonest class in training, has no test row."
    return f"{name}, the commonest class, is predicted {d.value:.2f} times as often as it occurs (baseline {d.baseline:.2f})."
