"""What the report says of labels learnt by heart: how many training rows the network answers with their label, by epoch of its training."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dermlab.report.render import percent
from dermlab.report.truth import GARBAGE

PHASES = {"frozen": "the frozen head", "finetune": "fine-tuning"}


def by_epoch(learnt: pd.DataFrame, flags: pd.DataFrame, manifest: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Any]:
    """`epochs`: phase, epoch and the shares of two parts of the training rows that were answered with the label they are trained towards,
    `doubted` and `others`; `rows`: of each part. By the truth, garbage left out, `doubted` are the wrong labels (`known`); else those that
    are `mislabeled` or `hard` by `flags` and that review has not settled. Empty where there is one epoch, or no row of a part was shown
    in some epoch.
    """
    epochs = [name for name in learnt.columns if name != "image_id"]
    rows = manifest[manifest["split"] == "train"].merge(learnt, on="image_id")
    known = not truth.empty
    if known:
        rows = rows.merge(truth[["image_id", "true_label", "kind"]], on="image_id")
        rows = rows[~rows["kind"].isin(GARBAGE)]
        doubted = rows["label"] != rows["true_label"]
    else:
        doubted = rows["image_id"].isin(flags.loc[flags["label_issue"] | (flags["issue"] == "hard"), "image_id"])
        doubted &= ~rows["origin"].str.startswith(("confirmed", "relabeled"))
    shown, answered = rows[epochs].notna(), rows[epochs].eq(rows["label"], axis=0)
    shares = {name: answered[of].sum() / shown[of].sum() for name, of in (("doubted", doubted), ("others", ~doubted))}
    if len(epochs) < 2 or any(of.isna().any() for of in shares.values()):
        return {}
    return {
        "known": known,
        "rows": {"doubted": int(doubted.sum()), "others": int((~doubted).sum())},
        "epochs": [
            {"phase": phase, "epoch": int(number), **{name: float(of[f"{phase}_{number}"]) for name, of in shares.items()}}
            for phase, _, number in (name.partition("_") for name in epochs)
        ],
    }


def lead(found: Mapping[str, Any], best: tuple[str, int] | None) -> str:
    """found: as `by_epoch`. `best`: phase and epoch of the network that was kept."""
    if not found:
        return ""
    *earlier, last = found["epochs"]
    first = next((row for row in earlier if row["phase"] == last["phase"]), earlier[-1])  # with one epoch of fine-tuning, the head's last
    kept = next((row for row in found["epochs"] if (row["phase"], row["epoch"]) == best), last)
    doubted, others = ("wrong", "right ones") if found["known"] else ("doubted", "others")
    of_kept = f" In the one that was kept, {_named(kept)}, it was {_shares(kept)}." if kept is not last else ""
    return (
        f"In its last epoch, {_named(last)}, the network gives back {percent(last['doubted'])} of the {doubted} labels that it was shown, "
        f"and {percent(last['others'])} of the {others} ({found['rows']['doubted']:,} and {found['rows']['others']:,} are trained on); in "
        f"{_named(first)} it was {_shares(first)}.{of_kept}"
    )


def names(found: Mapping[str, Any]) -> tuple[str, str]:
    return ("wrong labels", "right labels") if found["known"] else ("doubted labels", "other labels")


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['epoch']} of {PHASES[row['phase']]}"


def _shares(row: Mapping[str, Any]) -> str:
    return f"{percent(row['doubted'])} and {percent(row['others'])}"
