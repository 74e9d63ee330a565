"""What the report says of whom the model serves worse, and of whom it refuses the photos."""

from collections.abc import Mapping, Sequence
from typing import Any

from dermlab.report.render import bounds, in_points, percent, points, points_bounds, score


def worst(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """found: `gaps` of metrics/evaluate.json. Of each attribute the group with the widest gap, the attribute with the widest first; the
    group of most patients where none has an interval."""
    groups = found.get("groups", [])
    attributes = dict.fromkeys(group["by"] for group in groups)
    widest = [
        max((g for g in groups if g["by"] == by), key=lambda g: (g["gap"] is not None, g["gap"] or 0, g["patients"])) for by in attributes
    ]
    return sorted(widest, key=lambda group: -group["gap"] if group["gap"] is not None else 1.0)


def lead(found: Mapping[str, Any]) -> str:
    if not found:
        return ""
    same = "".join(
        f" {why}, and so no gap: {', '.join(map(_words, names))}."
        for why, names in (("One value or none", found["alike"]), ("Too many values for groups", found["texts"]))
        if names
    )
    told = [group for group in worst(found) if group["interval"]]
    if not told:
        return f"No group of patients has enough of them to tell whether the model serves it worse.{same}"
    count = sum(1 for group in found["groups"] if group["interval"])
    worse = [group for group in told if group["interval"][0] > 0]
    if worse:
        named = "; ".join(f"{_named(group)} by {_gap(group)}" for group in worse)
        return f"Served worse than all others with the same diagnoses, of {count:,} groups that were compared: {named}.{same}"
    first = told[0]
    return (
        f"No group of patients is told to be served worse than all others with the same diagnoses, of {count:,} that were compared. The "
        f"widest gap is that of {_named(first)}, {_gap(first)}: one of {in_points(first['interval'][1])} is not ruled out.{same}"
    )


def refused(found: Sequence[Mapping[str, Any]], share: float | None) -> str:
    """found: `unfamiliar_by_group` of metrics/evaluate.json; `share`: of all test photos. Of whom most photos are refused."""
    known = [group for group in found if group["interval"]]
    if not known or share is None:
        return ""
    most = max(known, key=lambda group: group["share"])
    if not most["share"]:
        return "Of no group of patients with enough of them was a photo refused as unfamiliar."
    low, high = most["interval"]
    by_chance = f" The highest of {len(known):,} groups is high by chance, too." if len(known) > 1 else ""
    return (
        f"Most often refused as unfamiliar: {_named(most)}, {percent(most['share'])} of the photos (95 % interval {percent(low)} to "
        f"{percent(high)}) against {percent(share)} of all.{by_chance}"
    )


def told(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """found: `subgroups` of metrics/evaluate.json. A score without an interval is left out."""
    return [{**group} if group["interval"] else {**group, "top1": None, "top3": None} for group in found]


def spread(found: Sequence[Mapping[str, Any]]) -> str:
    """Between which groups of patients top-1 lies. found: as above."""
    known = sorted((group for group in found if group["interval"]), key=lambda group: group["top1"])
    if len(known) < 2:
        return ""
    low, high = (
        f"{score(group['top1'])} ({_named(group)}, 95 % interval {bounds(group['interval'], 2)})" for group in (known[0], known[-1])
    )
    return f"Of {len(known):,} groups top-1 is lowest with {low} and highest with {high}."


def _named(group: Mapping[str, Any]) -> str:
    return f"{_words(group['by'])} {_words(group['group'])}"


def _gap(group: Mapping[str, Any]) -> str:
    return f"{points(group['gap'])} points {points_bounds(group['interval'])}"


def _words(name: str) -> str:
    return str(name).replace("_", " ")
