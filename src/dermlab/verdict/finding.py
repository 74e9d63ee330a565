"""What a comparison found, in words: by the rules in RULES and by nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass

from dermlab.report.render import percent, points, points_bounds
from dermlab.scores.differences import BETTER, NOT_APART, TOO_FEW, WORSE, Difference
from dermlab.verdict.paired import Comparison, Row
from dermlab.verdict.seeds import Recipe

NEGLIGIBLE = 0.01  # a possible loss that is not spoken of
FIELD_SIGMA = 0.006  # of top-1 from run to run, in the field (MedSigLIP-448, 15,561 test images)
WITHIN_NOISE = "within run-to-run noise"
RARE = "rare classes"
RULES = (
    "Better and worse: the 95 % interval of the difference leaves out zero. Of one run each it is a bootstrap over patients and speaks of "
    "these two checkpoints; over seeds it is a t interval and speaks of the two recipes.",
    "Within run-to-run noise: one run each, and top-1 differs by less than 1.96 · √2 · σ, where σ is the spread over seeds of the recipes "
    "at hand, or 0.6 points (what the field saw) where none has two seeds. Then no word about the recipes, whatever the interval says.",
    "Rare classes: the rarest third in training, judged by the mean of their F1 (one run each) or of their recall (over seeds).",
    "A single class: after Holm's correction for the number of classes.",
    "Advice, from top-1, macro F1 and rare classes: take (of one run each: promising) what is better in one and worse in none; leave "
    "what is worse in one and better in none; where one is better and another worse it is a choice; where none is told apart there is "
    "no evidence for a change. What is taken and not told apart elsewhere may still lose there: by up to the end of the interval, which is "
    "named from one point up.",
)


@dataclass(frozen=True)
class Finding:
    name: str
    verdict: str  # one sentence
    reasons: tuple[str, ...]  # sentences with the numbers
    advice: str  # what to do


def findings(comparison: Comparison) -> tuple[Finding, ...]:
    """Of recipes where all have several seeds, else of runs; in the order of the comparison."""
    if comparison.is_study:
        return tuple(_of_recipe(comparison, recipe) for recipe in comparison.recipes[1:])
    sigma = max((recipe.spread["top1"] for recipe in comparison.recipes if recipe.spread), default=FIELD_SIGMA)
    return tuple(_of_run(comparison, row, sigma) for row in comparison.rows)


def _of_run(comparison: Comparison, row: Row, sigma: float) -> Finding:
    top1, rare = row.headline["top1"], row.rare_f1
    least = 1.96 * 2**0.5 * sigma
    noise = abs(top1.delta) < least
    word = WITHIN_NOISE if noise else top1.verdict
    seen = f"; the checkpoints themselves are told apart ({top1.verdict})" if noise and top1.verdict in (BETTER, WORSE) else ""
    names = [name for name in comparison.rare if name in row.per_class]
    down, up = (sum(1 for name in names if sign * row.per_class[name].delta > 0) for sign in (-1, 1))
    reasons = [
        f"Top-1 {_change(top1)}: {word} (two single runs must differ by {100 * least:.1f} points){seen}.",
        _macro(row.headline["macro_f1"]),
        f"Rare classes ({len(names)}): mean F1 {_change(rare)}: {rare.verdict}; {down} of {len(names)} lower, {up} higher.",
        *_single_classes(row.per_class),
        *_flagged(comparison, row),
        *_rows_trained_on(comparison, row),
        _sink(comparison.sink, row.headline["sink_ratio"]),
    ]
    judged = {"top-1": word, "macro F1": row.headline["macro_f1"].verdict, RARE: rare.verdict}
    told = {"top-1": top1, "macro F1": row.headline["macro_f1"], RARE: rare}
    return Finding(row.name, _verdict(row.name, comparison.baseline, judged), tuple(reasons), _advice(row, judged, told, 1))


def _of_recipe(comparison: Comparison, recipe: Recipe) -> Finding:
    base = comparison.recipes[0]
    top1, rare = recipe.differences["top1"], recipe.differences["rare_recall"]
    reasons = [
        f"Top-1 {_change(top1)} over {len(recipe.seeds)} seeds (σ {100 * base.spread['top1']:.1f} and "
        f"{100 * recipe.spread['top1']:.1f} points): {top1.verdict}{_needed(recipe, 'top1')}.",
        _macro(recipe.differences["macro_f1"]),
        f"Rare classes ({len(comparison.rare)}): mean recall {_change(rare)} (σ {100 * base.spread['rare_recall']:.1f} and "
        f"{100 * recipe.spread['rare_recall']:.1f}): {rare.verdict}{_needed(recipe, 'rare_recall')}.",
        _sink(comparison.sink, recipe.differences["sink_ratio"]),
    ]
    row = next((row for row in comparison.rows if row.name == recipe.name), None)
    told = {"top-1": top1, "macro F1": recipe.differences["macro_f1"], RARE: rare}
    judged = {what: difference.verdict for what, difference in told.items()}
    advice = _advice(row, judged, told, len(recipe.seeds))
    return Finding(recipe.name, _verdict(recipe.name, base.name, judged), tuple(reasons), advice)


def _verdict(name: str, baseline: str, judged: Mapping[str, str]) -> str:
    said = [f"{word} {'on' if what == RARE else 'in'} {what}" for what, word in judged.items()]
    return f"{name} against {baseline}: {', '.join(said)}."


def _advice(row: Row | None, judged: Mapping[str, str], told: Mapping[str, Difference], seeds: int) -> str:
    again = " One run each: run three seeds or more of both before it becomes the recipe." if seeds == 1 else ""
    better, worse = ([what for what, word in judged.items() if word == verdict] for verdict in (BETTER, WORSE))
    if better and worse:
        return f"A choice: {' and '.join(better)} against {' and '.join(worse)}.{again}"
    if better:
        return f"{'Promising' if seeds == 1 else 'Take it'}.{_not_ruled_out(judged, told)}{again}"
    if worse and row is not None and "cleaned" in str(row.changed.get("variant", ("", ""))[1]):
        return (
            "Leave it. Dropping flagged rows took good examples with the bad: have the doubtful ones looked at (`dermlab review`) and "
            "drop what is no photo of skin; for rare classes try more photos, `variant=rebalanced` or a loss for the long tail."
        )
    return "Leave it." if worse else "No evidence for a change: keep the baseline, or run more seeds."


def _not_ruled_out(judged: Mapping[str, str], told: Mapping[str, Difference]) -> str:
    """What may be lost with a change that is better elsewhere."""
    losses = {what: -d.bounds[0] for what, d in told.items() if d.bounds and judged[what] != BETTER and d.bounds[0] < -NEGLIGIBLE}
    said = " and ".join(f"{100 * loss:.1f} points {'on' if what == RARE else 'of'} {what}" for what, loss in losses.items())
    return f" A loss of up to {said} is not ruled out." if losses else ""


def _macro(d: Difference) -> str:
    return f"Macro F1, each class counting the same, {_change(d)}: {d.verdict}."


def _change(d: Difference) -> str:
    return f"{points(d.delta)} points {points_bounds(d.bounds)}".strip()


def _needed(recipe: Recipe, metric: str) -> str:
    needed = recipe.needed.get(metric)
    if recipe.differences[metric].verdict != NOT_APART or needed is None:
        return ""
    return (
        f"; a difference of this size would take about {needed:,} seeds" if needed <= 1000 else "; no number of seeds in reach would tell"
    )


def _single_classes(per_class: Mapping[str, Difference]) -> list[str]:
    said = []
    for word in (WORSE, BETTER):
        found = sorted(((d.delta, name) for name, d in per_class.items() if d.verdict == word), key=lambda pair: -abs(pair[0]))
        if found:
            more = f" and {len(found) - 5} more" if len(found) > 5 else ""
            said.append(f"Of single classes {word}: {', '.join(f'{name} {points(delta)}' for delta, name in found[:5])}{more}.")
    judged = sum(1 for d in per_class.values() if d.verdict != TOO_FEW)
    return said or [f"No single class is told apart, of {judged} that have patients enough."]


def _flagged(comparison: Comparison, row: Row) -> list[str]:
    """How the classes fared whose labels are doubted most: hard and rare looks like mislabelled."""
    known = [name for name in row.per_class if comparison.flagged.get(name)]
    if len(known) < 6:
        return []
    most = sorted(known, key=lambda name: -comparison.flagged[name])[: len(known) // 3]
    down = sum(row.per_class[name].delta < 0 for name in most)
    return [
        f"Of the {len(most)} classes with the most doubted labels ({percent(comparison.flagged[most[-1]])} to "
        f"{percent(comparison.flagged[most[0]])} of their rows) {down} have a lower F1."
    ]


def _rows_trained_on(comparison: Comparison, row: Row) -> list[str]:
    if not row.trained:  # predictions that somebody else's model made
        return []
    ours, theirs = sum(comparison.trained.values()), sum(row.trained.values())
    if not ours or ours == theirs:
        return []
    left_out = {name: 1 - row.trained.get(name, 0) / count for name, count in comparison.trained.items() if count}
    most = sorted((name for name in left_out if left_out[name] > 0), key=lambda name: -left_out[name])[:3]
    said = f"It trained on {abs(theirs - ours):,} rows {'fewer' if theirs < ours else 'more'} ({percent(abs(theirs - ours) / ours)})"
    return [said + (f", most left out of {', '.join(f'{name} ({percent(left_out[name])})' for name in most)}" if most else "") + "."]


def _sink(name: str, d: Difference) -> str:
    return f"{name}, the commonest class, is predicted {d.value:.2f} times as often as it occurs (baseline {d.baseline:.2f}): {d.verdict}."
