"""What became of the training rows of each class, counted from catalog, flags and manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dermlab.data.classes import OTHER

TOP_SUGGESTIONS = 10


@dataclass(frozen=True)
class TrainingCounts:
    """Rows of one class."""

    before: int  # in the catalog
    after: int  # trained on, with the label they carry then
    flagged: int  # of `before`
    dropped: int  # of `before`, by the variant for what the flags say
    saved: int  # rows that the variant would have dropped but for the guard
    dropped_by_review: int  # of `before`, by the ledger
    shared: int  # of `after`, trained towards other labels too, to which they give `given_away` rows in all
    given_away: float
    received: float  # what rows of other classes give to this one

    @property
    def flag_rate(self) -> float | None:
        return self.flagged / self.before if self.before else None


def training_counts(
    catalog: pd.DataFrame, flags: pd.DataFrame, manifest: pd.DataFrame, targets: tuple[str, ...], numbers: Mapping[str, Any]
) -> dict[str, TrainingCounts]:
    """By target class. numbers: metrics/manifest.json, which tells what went because of a flag from what a reviewer dropped, and what the
    guard saved from what a reviewer confirmed: the tables do not show it."""
    rows = catalog.loc[catalog["split"] == "train", ["image_id", "label"]]
    trained = manifest[manifest["split"] == "train"]
    by_id = flags.set_index("image_id")
    flagged = rows["image_id"].map(by_id["label_issue"]).fillna(False).astype(bool)
    leak = rows["image_id"].map(by_id["leak"]).fillna(False).astype(bool)
    gone = ~rows["image_id"].isin(manifest["image_id"]) & ~leak
    before, after = rows["label"].value_counts(), trained["label"].value_counts()
    shared = trained[trained["labels"].notna()]
    parts = [(label, name, part) for label, labels in zip(shared["label"], shared["labels"], strict=True) for name, part in labels]
    moved = pd.DataFrame(parts, columns=["label", "towards", "share"]).query("label != towards")
    given_away, received = (moved.groupby(column)["share"].sum() for column in ("label", "towards"))
    rows_shared = shared["label"].value_counts()
    flags_of, gone_of = (rows.loc[which, "label"].value_counts() for which in (flagged, gone))
    dropped, saved = numbers.get("dropped_per_class", {}), numbers.get("saved_by_guard", {})
    return {
        name: TrainingCounts(
            before=int(before.get(name, 0)),
            after=int(after.get(name, 0)),
            flagged=int(flags_of.get(name, 0)),
            dropped=int(dropped.get(name, 0)),
            saved=int(saved.get(name, 0)),
            dropped_by_review=int(gone_of.get(name, 0)) - int(dropped.get(name, 0)),
            shared=int(rows_shared.get(name, 0)),
            given_away=float(given_away.get(name, 0.0)),
            received=float(received.get(name, 0.0)),
        )
        for name in targets
    }


def flag_counts(flags: pd.DataFrame, rare: list[str]) -> dict[str, Any]:
    """Rows, flags, their rate in the rare classes and in the other targets, and what flags suggest most often."""
    flagged = flags[flags["label_issue"]]
    is_rare, target = flags["given"].isin(rare), flags["given"] != OTHER
    pairs = flagged.groupby(["given", "suggested"]).size().reset_index(name="count")
    pairs = pairs.sort_values(["count", "given", "suggested"], ascending=[False, True, True]).head(TOP_SUGGESTIONS)
    return {
        "rows": len(flags),
        "flagged": len(flagged),
        "rate": _rate(flags),
        "rare_rate": _rate(flags[is_rare]),
        "common_rate": _rate(flags[target & ~is_rare]),
        "suggestions": pairs.to_dict("records"),
        "duplicates": int(flags["duplicate_of"].notna().sum()),
        "leaks": int(flags["leak"].sum()),
    }


def _rate(flags: pd.DataFrame) -> float | None:
    return float(flags["label_issue"].mean()) if len(flags) else None
