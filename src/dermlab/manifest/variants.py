"""The variants: rules on training rows, which compose.

Rules on labels run before rules on rows, and the weights come last, so that names joined by + mean the same in any order.
Every rule takes the draft (image_id, label, weight, origin, label_issue, quality, reviewed) and returns it with its own numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.errors import ContractError
from dermlab.data.ledger import DROP
from dermlab.manifest.params import ManifestParams
from dermlab.manifest.weights import row_weights

KEPT, RELABELED = "kept", "relabeled"


class Phase(IntEnum):
    """When a rule runs. The pool `other` is drawn between ROWS and WEIGHTS."""

    LABELS, ROWS, WEIGHTS = range(3)


@dataclass(frozen=True)
class Variant:
    phase: Phase
    rule: Callable[[pd.DataFrame, pd.DataFrame, ManifestParams], tuple[pd.DataFrame, dict[str, Any]]]


def baseline(rows: pd.DataFrame, ledger: pd.DataFrame, params: ManifestParams) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Every row, as it came."""
    return rows, {}


def relabeled(rows: pd.DataFrame, ledger: pd.DataFrame, params: ManifestParams) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The ledger applied. A reviewed row is settled: no later rule takes it for its old flag."""
    verdict = rows["image_id"].map(ledger.set_index("image_id")["to_label"])
    reason = rows["image_id"].map(ledger.set_index("image_id")["reason"])
    reviewed = verdict.notna()
    dropped = reviewed & (verdict == DROP)
    changed = reviewed & ~dropped & (verdict != rows["label"])
    after = rows.assign(
        label=np.where(changed, verdict, rows["label"]),
        origin=np.where(changed, RELABELED + ": " + reason.fillna("").astype(str), rows["origin"]),
        reviewed=rows["reviewed"] | reviewed,
    )[~dropped]
    confirmed = int((reviewed & ~dropped & ~changed).sum())
    return after, {"relabeled": int(changed.sum()), "reviewed_dropped": int(dropped.sum()), "confirmed": confirmed}


def cleaned(rows: pd.DataFrame, ledger: pd.DataFrame, params: ManifestParams) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Flagged rows dropped, the lowest quality first, as far as the guard lets.

    The guard: of a class of n rows at most floor(max_drop n) go, none that would leave fewer than min_count, so none from a class
    that has no more. Dropping what a classifier finds hard starves the rare classes first. Raises ContractError where the guard
    is off and a class would be left without a row.
    """
    flagged = rows["label_issue"] & ~rows["reviewed"]
    sizes = rows["label"].value_counts().sort_index()
    asked = rows[flagged].sort_values(["quality", "image_id"])
    place = asked.groupby("label").cumcount()
    if params.guard:
        allowed = sizes.map(lambda n: max(0, min(int(n * params.max_drop + 1e-9), int(n) - params.min_count)))
        drop = asked.index[place < asked["label"].map(allowed)]
    else:
        drop = asked.index
    after = rows.drop(index=drop)
    emptied = sorted(set(rows["label"]) - set(after["label"]))
    if emptied:
        raise ContractError(
            f"Cleaning would drop every training row of: {', '.join(emptied)}. A model cannot learn a class without rows: "
            "switch the guard on (-S manifest.guard=on), or relabel the rows in data/relabels.csv instead."
        )
    per_class = asked["label"].value_counts().sort_index()
    gone = rows.loc[drop, "label"].value_counts()
    saved = (per_class - gone.reindex(per_class.index, fill_value=0)).astype(int)
    return after, {
        "flagged": len(asked),
        "dropped": len(drop),
        "dropped_per_class": {name: int(gone[name]) for name in sorted(gone.index)},
        "saved_by_guard": {name: int(n) for name, n in saved.items() if n},
    }


def rebalanced(rows: pd.DataFrame, ledger: pd.DataFrame, params: ManifestParams) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A draw weight a row by its class's frequency, mean 1."""
    weights = row_weights(rows["label"].to_numpy(dtype=str), params.rebalance, params.beta)
    per_class = pd.Series(weights).groupby(rows["label"].to_numpy()).first()
    return rows.assign(weight=weights), {"weight_per_class": {name: float(w) for name, w in per_class.items()}}


VARIANTS: dict[str, Variant] = {
    "baseline": Variant(Phase.ROWS, baseline),
    "relabeled": Variant(Phase.LABELS, relabeled),
    "cleaned": Variant(Phase.ROWS, cleaned),
    "rebalanced": Variant(Phase.WEIGHTS, rebalanced),
}
