"""What whoever decides about patients asks first: whether a recipe loses photos of a group of classes, and whom it serves worse."""

from math import isfinite

from dermlab.report.render import in_points, points, points_bounds
from dermlab.scores.differences import WORSE, Difference
from dermlab.verdict.judge import Verdict


def answers(verdict: Verdict) -> list[str]:
    """The guarded group first."""
    groups = list(verdict.judged[0].group_differences) if verdict.judged else []
    groups.sort(key=lambda group: group != verdict.question.guarded)
    return [_answer(group, verdict) for group in groups]


def _answer(group: str, verdict: Verdict) -> str:
    found = {recipe.name: _told(recipe.group_differences[group]["sensitivity"], verdict.question.margin) for recipe in verdict.judged}
    if len(found) > 1:
        return f"Does it lose {group}? {'; '.join(f'{name}: {told}' for name, told in found.items())}."
    (told,) = found.values()
    return f"Does it lose {group}? {told[0].upper()}{told[1:]}."


def _told(d: Difference, margin: float) -> str:
    """By the interval of the sensitivity, at the points that each recipe's own validation chose."""
    if not isfinite(d.delta):
        return "not known, for validation could not choose from which probability on to call a photo so"
    if d.bounds is None:
        return "not known, for too few test patients have it"
    change = f"sensitivity {points(d.delta)} points {points_bounds(d.bounds)}"
    if d.verdict == WORSE:
        return f"yes, {change}"
    if d.bounds[0] >= -margin:
        return f"no, {change}: a loss of more than {in_points(margin)} is ruled out"
    return f"not known, {change}: a loss of {in_points(-d.bounds[0])} is not ruled out"


def widest_gaps(verdict: Verdict) -> list[str]:
    """Of each attribute the group of patients with the baseline's widest gap, where an interval tells it; the widest first."""
    known = {group: d for group, d in verdict.judged[0].gap_differences.items() if d.bounds} if verdict.judged else {}
    widest: dict[str, str] = {}
    for group in sorted(known, key=lambda group: -known[group].baseline):
        widest.setdefault(group.partition(": ")[0], group)
    return list(widest.values())
