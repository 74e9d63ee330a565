"""What the report says of groups of classes (data/groups.csv): the finding of each in a sentence, and its rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from dermlab.report.render import percent, score
from dermlab.run.progress import some
from dermlab.scores.bootstrap import MIN_PATIENTS

OF = {"photo": "photos", "case": "cases"}
SCORES = ("sensitivity", "specificity", "auroc")


def findings(groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """groups: of metrics/evaluate.json. A sentence a group, of photos; what its decision curve says with it."""
    return [f"{_found(row)} {_worth(row['curve'])}".strip() if row.get("curve") else _found(row) for row in groups.get("photo", [])]


def rows(groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """By photo, then by case, group by group; `by` says which. A score without an interval is left out."""
    names = [row["group"] for row in groups.get("photo", [])]
    return [{"by": by, **_told(row)} for name in names for by in OF for row in groups.get(by, []) if row["group"] == name]


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in SCORES or row[f"{key}_interval"]}


def _found(row: Mapping[str, Any]) -> str:
    name = row["group"]
    if not row["rows"]:
        return f"{name}: no test photo is of it, so nothing is known of it."
    if not row["others"]:
        return f"{name}: every test photo is of it, so there is nothing to tell it from."
    for count, of in ((row["patients"], "it"), (row["other_patients"], "others")):
        if count < MIN_PATIENTS:
            few = some(count, "test patient is", "test patients are")
            return f"{name}: {few} of {of}, too few to tell how well it is found ({MIN_PATIENTS} are the least)."
    if "sensitivity" not in row:
        bounds = row["auroc_interval"]
        between = _between(bounds, score) if bounds else ", of which there is no interval"
        return (
            f"{name}: validation has too few patients of it to choose from which probability on to call a photo so. At any threshold it is "
            f"told from the others with an AUROC of {score(row['auroc'])}{between}."
        )
    return (
        f"{name}: the model finds {percent(row['sensitivity'])} of its photos{_between(row['sensitivity_interval'])} at the point where "
        f"validation found {percent(row['promise'], 0)}; {_missed(row)}. Of the others it calls {percent(1 - row['specificity'])} so, in "
        "vain."
    )


def _missed(row: Mapping[str, Any]) -> str:
    return f"{row['missed']:,} of {row['rows']:,} are missed" if row["missed"] else f"none of {row['rows']:,} is missed"


def _between(bounds: Sequence[float], shown: Any = percent) -> str:
    return f" (95 % interval {shown(bounds[0])} to {shown(bounds[1])})"


def _worth(curve: Sequence[Mapping[str, Any]]) -> str:
    """Over which thresholds acting on the model is worth more than either alternative, as far as the intervals tell."""
    worth = [point["threshold"] for point in curve if point["worth_more"]]
    if not worth:
        return "At no threshold up to 50 % do the intervals tell that acting on it is worth more than acting on everybody or on nobody."
    runs: list[list[float]] = []
    for threshold in worth:
        if runs and round(100 * (threshold - runs[-1][1])) == 1:
            runs[-1][1] = threshold
        else:
            runs.append([threshold, threshold])
    low, high = max(runs, key=lambda run: run[1] - run[0])
    more = " (and at some others)" if len(runs) > 1 else ""
    reach = f"from thresholds of {percent(low, 0)} to {percent(high, 0)}{more}"
    return f"Acting on it is worth more than acting on everybody or on nobody {reach}."
