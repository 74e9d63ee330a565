"""The variants: rules on training rows, which compose.

Rules on labels run before rules on rows, then come what rows are trained towards and the weights, so that names joined by + mean the same
in any order. Every rule takes the draft (the manifest's columns, what the flags say, what raters said, reviewed) and returns it with its
own numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import DROP
from dermlab.data.lines import READERS
from dermlab.data.shares import mixed, whole
from dermlab.manifest.params import ManifestParams
from dermlab.manifest.weights import row_weights
from dermlab.run.errors import ContractError

KEPT, CONFIRMED, RELABELED = "kept", "confirmed", "relabeled"  # the origin of a row, the latter two with the reason
LEAST_SHARE = 0.01  # of a second label; less of it teaches nothing


class Phase(IntEnum):
    """When a rule runs. The pool `other` is drawn between ROWS and OPINIONS: what comes after sees the rows that are trained on."""

    LABELS, ROWS, OPINIONS, TARGETS, WEIGHTS = range(5)


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
    word = np.where(changed, RELABELED, CONFIRMED) + (": " + reason.fillna("").astype(str))
    after = rows.assign(
        label=np.where(changed, verdict, rows["label"]),
        origin=word.where(reviewed, rows["origin"]),
        reviewed=rows["reviewed"] | reviewed,
    )[~dropped]
    found = {"relabeled": changed, "reviewed_dropped": dropped, "confirmed": reviewed & ~dropped & ~changed}
    readers = rows["image_id"].isin(ledger.loc[ledger["reviewer"] == READERS, "image_id"])
    agreements = sorted(reason[readers].unique())  # such as `2 of 3 readers`
    by_readers = {said: {name: int((of & readers & (reason == said)).sum()) for name, of in found.items()} for said in agreements}
    return after, {name: int(of.sum()) for name, of in found.items()} | ({"by_readers": by_readers} if by_readers else {})


def cleaned(rows: pd.DataFrame, ledger: pd.DataFrame, params: ManifestParams) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Flagged rows dropped, the lowest quality first, as far as the guard lets.

    The guard: of a class of n rows at most floor(max_drop n) go, none that would leave fewer than min_count, so none from a class
    that has no more. Dropping what a classifier finds hard starves the rare classes first. Raises ContractError where the guard
    is off and a class would be left without a row.
    """
    return _dropped(rows, rows["label_issue"], lambda n: min(int(n * params.max_drop + 1e-9), n - params.min_count), params.guard)


def agreed(rows: pd.DataFrame, ledger: pd.DataFrame, params: ManifestParams) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Trained on where a classifier on frozen features, out-of-fold, agrees with the label: rows that are `mislabeled` or `hard` are
    dropped. A network that is fine-tuned learns wrong labels by heart, and such a classifier hardly any (Yu et al. 2024, CUFIT, section 3).
    What has an earlier word, such as a copy with another label or garbage, stays unless it is flagged, as it does in `cleaned`.

    The guard: of each class min_count rows stay, those of the highest quality. `max_drop` has no say: where 40 % of the labels are wrong
    as many have to go. Raises ContractError as `cleaned` does, and with a min_count of 0 too.
    """
    return _dropped(rows, rows["label_issue"] | (rows["issue"] == "hard"), lambda n: n - params.min_count, params.guard)


def _dropped(rows: pd.DataFrame, doubted: pd.Series, most: Callable[[int], int], guard: bool) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Without the `doubted` rows, but for reviewed ones. `most`: with the guard, of how many rows of a class so many may go, the lowest
    quality first; below 0 none."""
    sizes = rows["label"].value_counts().sort_index()
    asked = rows[doubted & ~rows["reviewed"]].sort_values(["quality", "image_id"])
    place = asked.groupby("label").cumcount()
    if guard:
        allowed = sizes.map(lambda n: max(0, most(int(n))))
        drop = asked.index[place.to_numpy() < allowed.reindex(asked["label"]).to_numpy()]  # a map of no rows would be of text
    else:
        drop = asked.index
    after = rows.drop(index=drop)
    emptied = sorted(set(rows["label"]) - set(after["label"]))
    if emptied:
        raise ContractError(
            f"This variant would drop every training row of: {', '.join(emptied)}. A model cannot learn a class without rows: "
            f"{'raise what the guard leaves (-S manifest.min_count=1)' if guard else 'switch the guard on (-S manifest.guard=on)'}, or "
            "relabel the rows in data/relabels.csv instead."
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


def softened(rows: pd.DataFrame, ledger: pd.DataFrame, params: ManifestParams) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Towards the suggested label too, in the proportion of its probability to the given one's: no row is lost, and one whose label is
    doubtful teaches it only as far as it is believed. A reviewed row keeps its one label, and so does a row whose suggestion
    would get less than LEAST_SHARE.

    The guard: a class of n rows gives away max_drop n at most, summed over its rows, the lowest quality first. Of a class of one patient
    the flags know nothing, and would give all of it away.

    `other` is a class like any: a row may give to it, and a row of it may give to a diagnosis. That the pool is a draw does not matter,
    for it is drawn by the given label, and the flags say what the true one is where photo and given label are known. It bounds the rows
    of `other`, so what is trained towards `other` may be somewhat more or less than `params.other_ratio`.
    """
    share = rows["suggested_prob"] / (rows["quality"] + rows["suggested_prob"])
    asked = rows[(share >= LEAST_SHARE) & ~rows["reviewed"]].sort_values(["quality", "image_id"])
    spent = share[asked.index].groupby(asked["label"]).cumsum()
    allowed = rows.groupby("label")["label"].transform("size")[asked.index] * params.max_drop + 1e-9
    believed = (spent > allowed) & params.guard
    soft = rows.index.isin(asked.index[~believed])
    after = rows.assign(
        labels=[
            mixed(towards or whole(label), whole(suggested), of_second) if softens else towards
            for towards, label, suggested, of_second, softens in zip(
                rows["labels"], rows["label"], rows["suggested"], share, soft, strict=True
            )
        ]
    )
    given, suggested = (share[soft].groupby(rows.loc[soft, column]) for column in ("label", "suggested"))
    return after, {
        "softened": int(soft.sum()),
        "given_away": float(share[soft].mean()) if soft.any() else 0.0,
        "softened_per_class": {name: int(n) for name, n in given.size().items()},
        "given_away_per_class": {name: float(of) for name, of in given.sum().items()},
        "received_per_class": {name: float(of) for name, of in suggested.sum().items()},
        "believed_by_guard": {name: int(n) for name, n in believed.groupby(asked["label"]).sum().items() if n},
    }


def distributed(rows: pd.DataFrame, ledger: pd.DataFrame, params: ManifestParams) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Every row towards what its raters said, in the shares of their opinions. A reviewed row is settled, and keeps its one label. Raises
    ContractError where the source brings one label a row."""
    if rows["opinions"].isna().all():
        raise ContractError(
            "The variant distributed trains towards what several raters said, and data/source has one label a training row. Lock a source "
            "with weights or raters (docs/data.md), or choose another variant."
        )
    open_rows = rows["opinions"].notna() & ~rows["reviewed"]
    after = rows.assign(labels=rows["opinions"].where(open_rows, None))
    others = [
        1 - dict(opinions).get(label, 0.0) for opinions, label in zip(*(rows.loc[open_rows, c] for c in ("opinions", "label")), strict=True)
    ]
    return after, {"distributed": int(open_rows.sum()), "towards_other_labels": float(np.mean(others)) if others else 0.0}


def rebalanced(rows: pd.DataFrame, ledger: pd.DataFrame, params: ManifestParams) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A draw weight a row by the frequency of its label, mean 1; what else it is trained towards has no say."""
    weights = row_weights(rows["label"].to_numpy(dtype=str), params.rebalance, params.beta)
    per_class = pd.Series(weights).groupby(rows["label"].to_numpy()).first()
    return rows.assign(weight=weights), {"weight_per_class": {name: float(w) for name, w in per_class.items()}}


VARIANTS: dict[str, Variant] = {
    "baseline": Variant(Phase.ROWS, baseline),
    "relabeled": Variant(Phase.LABELS, relabeled),
    "cleaned": Variant(Phase.ROWS, cleaned),
    "agreed": Variant(Phase.ROWS, agreed),
    "distributed": Variant(Phase.OPINIONS, distributed),
    "softened": Variant(Phase.TARGETS, softened),
    "rebalanced": Variant(Phase.WEIGHTS, rebalanced),
}
