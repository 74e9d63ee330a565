"""What training cost by experiment, from `data/train-log.jsonl`: times that no metric may hold, since equal runs differ in them."""

import json
from pathlib import Path

import pandas as pd
from rich.table import Table

from dermlab.run import paths
from dermlab.run.errors import DermlabError
from dermlab.verdict.runs import UNFINISHED

NUMBERS = ("images", "seconds", "training_seconds", "waiting_seconds", "device_hours")
WHERE_KNOWN = ("memory_gb", "flop_utilisation", "usd")


def read_costs(log: Path = paths.TRAIN_LOG) -> pd.DataFrame:
    """One row an experiment and device, in the order of their first epoch: epochs, images, hours, device_hours, images_per_second (while
    training, fine-tuning alone where there was any), waiting (share), memory_gb, flop_utilisation, usd; NaN where not known. An epoch that
    ran twice, after a kill, cost twice. Raises DermlabError where nothing was logged."""
    if not log.exists():
        raise DermlabError(f"{log} does not exist: nothing has been trained here yet.")
    lines = pd.DataFrame(_epochs(log)).reindex(columns=["experiment", "device", "processes", "phase", *NUMBERS, *WHERE_KNOWN])
    if lines.empty:
        raise DermlabError(f"{log} holds no epoch that can be read.")
    lines["experiment"] = lines["experiment"].str.removesuffix(UNFINISHED)
    rows = []
    for (experiment, device), epochs in lines.groupby(["experiment", "device"], sort=False):
        shown = epochs[epochs["phase"] == "finetune"] if (epochs["phase"] == "finetune").any() else epochs
        weights = shown["training_seconds"]
        rows.append(
            {
                "experiment": experiment,
                "device": device if epochs["processes"].max() == 1 else f"{epochs['processes'].max():.0f} x {device}",
                "epochs": len(epochs),
                "images": int(epochs["images"].sum()),
                "hours": epochs["seconds"].sum() / 3600,
                "device_hours": epochs["device_hours"].sum(),
                "images_per_second": shown["images"].sum() / max(weights.sum(), 1e-9),
                "waiting": shown["waiting_seconds"].sum() / max(weights.sum(), 1e-9),
                "memory_gb": epochs["memory_gb"].max(),
                "flop_utilisation": (shown["flop_utilisation"] * weights).sum(min_count=1) / max(weights.sum(), 1e-9),
                "usd": epochs["usd"].sum(min_count=1),
            }
        )
    return pd.DataFrame(rows)


def _epochs(log: Path) -> list[dict]:
    """Lines that are whole: a pod may have died while it wrote one."""
    epochs = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            epochs.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return epochs


COLUMNS = {
    "experiment": ("experiment", str), "device": ("device", str),
    "epochs": ("epochs", "{:.0f}".format), "images": ("images", "{:,.0f}".format),
    "hours": ("hours", "{:.2f}".format), "device_hours": ("device hours", "{:.2f}".format),
    "images_per_second": ("images/s", "{:.0f}".format), "waiting": ("waiting", "{:.0%}".format), "memory_gb": ("GB", "{:.1f}".format),
    "flop_utilisation": ("of peak", "{:.0%}".format), "usd": ("$", "{:.2f}".format),
}  # fmt: skip


def as_table(costs: pd.DataFrame) -> Table:
    """For a terminal; a column that nothing is known for is left out, and the last row is the sum."""
    known = [name for name in COLUMNS if costs[name].notna().any()]
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in known:
        table.add_column(COLUMNS[name][0], justify="left" if name in ("experiment", "device") else "right", no_wrap=name == "experiment")
    for row in costs.to_dict("records"):
        table.add_row(*("" if pd.isna(row[name]) else COLUMNS[name][1](row[name]) for name in known))
    if len(costs) > 1:
        summed = {name: costs[name].sum() for name in ("epochs", "images", "hours", "device_hours", "usd")} | {"experiment": "together"}
        table.add_section()
        table.add_row(*(COLUMNS[name][1](summed[name]) if name in summed else "" for name in known))
    return table
