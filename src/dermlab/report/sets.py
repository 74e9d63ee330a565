"""What the report says of prediction sets."""

from collections.abc import Mapping
from typing import Any

from dermlab.report.render import percent

NOT_PROMISED = (
    "Promised is the share over all photos of new patients who come as those of validation did. Not promised is the same for a single rare "
    "class, whose threshold is shared with others, nor for a group of patients, nor for another clinic, whose mix of diagnoses and photos "
    "is another: what the test split shows of the first two stands below, and of the last nothing does."
)


def lead(found: Mapping[str, Any]) -> str:
    """found: `sets` of metrics/evaluate.json."""
    if not found:
        return ""
    whole, promised = found["all"], percent(found["promised"], 0)
    rarest = next((row for row in found["classes"] if row["group"].startswith("rarest")), None)
    of_rare = f" Of the rarest third of the classes it is {_share(rarest)}." if rarest else ""
    kept = _kept(whole, found["promised"])
    return (
        f"A set of classes in place of one answer holds the right one in {_share(whole)} of the test photos, where {promised} are promised"
        f"{kept}. It has {whole['size']:.1f} classes on average, and one alone for {percent(whole['single'], 0)} of the photos.{of_rare}"
    )


def _share(row: Mapping[str, Any]) -> str:
    bounds = row["interval"]
    interval = f"95 % interval {percent(bounds[0])} to {percent(bounds[1])}" if bounds else "too few patients for an interval"
    return f"{percent(row['coverage'])} ({interval})"


def _kept(row: Mapping[str, Any], promised: float) -> str:
    if not row["interval"]:
        return ""
    low, high = row["interval"]
    return "; fewer than that, by the interval" if high < promised else "; more than that, by the interval" if low > promised else ""
