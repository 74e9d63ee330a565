"""What the report says of groups of classes (data/groups.csv): the finding of each in a sentence, and its rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from dermlab.report.render import percent, score

OF = {"photo": "photos", "case": "cases"}


def findings(groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """groups: of metrics/evaluate.json. A sentence a group, of photos; what its decision curve says with it."""
    return [f"{_found(row)} {_worth(row['curve'])}".strip() if row.get("curve") else _found(row) for row in groups.get("photo", [])]


def rows(groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """By photo, then by case, group by group; `by` says which."""
    names = [row["group"] for row in groups.get("photo", [])]
    return [{"by": by, **row} for name in names for by in OF for row in groups.get(by, []) if row["group"] == name]


def _found(row: Mapping[str, Any]) -> str:
    name = row["group"]
    if not row["rows"]:
        return f"{name}: no test photo is of it, so nothing is known of it."
    if not row["others"]:
        return f"{name}: every test photo is of it, so there is nothing to tell it from."
    if "sensitivity" not in row:
        return (
            f"{name}: validation has too few patients of it to choose from which probability on to call a photo so. At any threshold it is "
            f"told from the others with an AUROC of {score(row['auroc'])}{_between(row['auroc_interval'], score)}."
        )
    return (
        f"{name}: the model finds {percent(row['sensitivity'])} of its photos{_between(row['sensitivity_interval'])} at the point where "
        f"validation found {percent(row['promise'], 0)}; {_missed(row)}. Of the others it calls {percent(1 - row['specificity'])} so, in "
        "vain."
    )


def _missed(row: Mapping[str, Any]) -> str:
    return f"{row['missed']:,} of {row['rows']:,} are missed" if row["missed"] else f"none of {row['rows']:,} is missed"


def _between(bounds: Sequence[float] | None, shown: Any = percent) -> str:
    return f" (95 % interval {shown(bounds[0])} to {shown(bounds[1])})" if bounds else " (too few patients for an interval)"


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
