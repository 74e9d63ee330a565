"""The manifest: from catalog, flags and ledger to the rows a model is trained, tuned and tested on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import OTHER, Classes
from dermlab.data.tables import HELD_OUT_FOLD
from dermlab.manifest.held_out import fold_of
from dermlab.manifest.params import ManifestParams
from dermlab.manifest.pool import draw_order, keep_pool
from dermlab.manifest.variants import KEPT, VARIANTS, Phase
from dermlab.run.errors import ContractError

COLUMNS = ["image_id", "label", "split", "weight", "origin", "labels"]
PARTS = {"train": 0, "val": 1}  # of the seed of each split's draw


def build_manifest(
    catalog: pd.DataFrame,
    flags: pd.DataFrame,
    ledger: pd.DataFrame,
    classes: Classes,
    variants: Sequence[str],
    params: ManifestParams,
    seed: int,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """(the manifest table, the numbers of metrics/manifest.json).

    Only training rows are changed, and no variant keeps one that is a copy of a val or test image. Test rows are all kept, their
    labels frozen; of `other` in train and val a share `params.other_ratio` is drawn by `seed`. The rows of the held-out fold
    (`params.fold`, drawn by `seed`) are as the catalog has them, leaks included: whoever judges labels asks about each. Raises
    ContractError where flags and catalog do not fit together, or a class loses its last row.
    """
    catalog = catalog.sort_values("image_id", ignore_index=True)
    opinions = catalog.get("labels", pd.Series(None, catalog.index, dtype=object))
    catalog = catalog.assign(weight=1.0, origin=KEPT, opinions=opinions, labels=None)
    parts = {split: catalog[catalog["split"] == split].reset_index(drop=True) for split in ("train", "val", "test")}
    order = {split: draw_order(parts[split]["image_id"], seed, part) for split, part in PARTS.items()}

    draft = _with_flags(parts["train"], flags)
    if params.fold:
        in_fold = fold_of(parts["train"], flags, classes, *params.fold, seed)
        parts[HELD_OUT_FOLD] = parts["train"][in_fold].assign(split=HELD_OUT_FOLD)
        draft = draft[~in_fold]
    leaks = int(draft["leak"].sum())
    draft = draft[~draft["leak"]].assign(reviewed=False)
    before = draft["label"].value_counts()
    counts: dict[str, Any] = {}
    for phase in Phase:
        if phase == Phase.OPINIONS:
            pool = _others(draft)
            draft = keep_pool(draft, params.other_ratio, order["train"])
        for name, variant in VARIANTS.items():
            if name in variants and variant.phase == phase:
                draft, counts_of_rule = variant.rule(draft, ledger, params)
                counts |= counts_of_rule
    after = draft["label"].value_counts()
    _check_no_class_emptied(before, after, classes, params.ledger)

    val = keep_pool(parts["val"], params.other_ratio, order["val"])
    kept = {**parts, "train": draft, "val": val}
    manifest = pd.concat([rows[COLUMNS] for rows in kept.values()]).sort_values("image_id", ignore_index=True)
    numbers = {
        "variant": "+".join(name for name in VARIANTS if name in variants),
        "rows": {split: int((manifest["split"] == split).sum()) for split in parts},
        "leaks_left_out": leaks,
        "other": {
            "train": {"available": pool, "kept": int(after.get(OTHER, 0))},
            "val": {"available": _others(parts["val"]), "kept": _others(val)},
            "test": {"available": _others(parts["test"]), "kept": _others(parts["test"])},
        },
        "dropped": 0,
        "saved_by_guard": {},
        "relabeled": 0,
        "softened": 0,
        **counts,
        "train_per_class": {name: {"before": int(before.get(name, 0)), "after": int(after.get(name, 0))} for name in classes.names},
    }
    return manifest, numbers


def _with_flags(train: pd.DataFrame, flags: pd.DataFrame) -> pd.DataFrame:
    """The training rows with what the rules ask of the flags. Flags made from another catalog are an error, not a silent gap."""
    asked = ["image_id", "given", "suggested", "suggested_prob", "issue", "label_issue", "quality", "leak"]
    joined = train.merge(flags[asked], on="image_id", how="left")
    stale = np.flatnonzero((joined["given"] != joined["label"]).to_numpy())
    if len(stale) or len(flags) != len(train):
        example = f" (first: {joined['image_id'][stale[0]]})" if len(stale) else ""
        raise ContractError(
            f"data/flags.parquet has {len(flags)} rows for {len(train)} training images, and {len(stale)} of those have no flag "
            f"made from their label{example}. Run `dvc repro flag`."
        )
    return joined.astype({"label_issue": bool, "leak": bool})


def _check_no_class_emptied(before: pd.Series, after: pd.Series, classes: Classes, ledger: str) -> None:
    emptied = [name for name in classes.targets if before.get(name, 0) and not after.get(name, 0)]
    if emptied:
        raise ContractError(
            f"The ledger {ledger} takes every training row of: {', '.join(emptied)}. A model cannot learn a class "
            "without rows: leave some of its lines out, or lock a source with more images of it."
        )


def _others(rows: pd.DataFrame) -> int:
    return int((rows["label"] == OTHER).sum())
