"""What training cost by experiment, from `data/train-log.jsonl`: times that no metric may hold, since equal runs differ in them."""

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from dermlab.run import paths
from dermlab.run.errors import DermlabError
from dermlab.run.progress import say
from dermlab.verdict.runs import UNFINISHED

NUMBERS = ("images", "seconds", "training_seconds", "waiting_seconds", "device_hours")
WHERE_KNOWN = ("memory_gb", "flop_utilisation", "usd")


def read_costs(log: Path = paths.TRAIN_LOG) -> pd.DataFrame:
    """One row an experiment and device, in the order of their first epoch: epochs, images, hours, device_hours, images_per_second (while
    training, fine-tuning alone where there was any), waiting (share), memory_gb, flop_utilisation, usd; NaN where not known. An epoch that
    ran twice, after a kill, cost twice. Raises DermlabError where nothing was logged."""
    if not log.exists():
        raise DermlabError(f"{log} does not exist: nothing has been trained here yet.")
    epochs, passed_over = _epochs(log)
    if passed_over:
        say(f"{log}: {passed_over} lines hold no epoch, cut off or with figures that are none, and are passed over")
    lines = pd.DataFrame(epochs).reindex(columns=["experiment", "device", "processes", "phase", *NUMBERS, *WHERE_KNOWN])
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


def _epochs(log: Path) -> tuple[list[dict], int]:
    """Those that are whole, and the number of other lines: a machine may have died while it wrote one."""
    epochs, lines = [], log.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines:
        with suppress(ValueError, RecursionError):
            if _is_epoch(epoch := json.loads(line)):
                epochs.append(epoch)
    return epochs, len(lines) - len(epochs)


def _is_epoch(said: Any) -> bool:
    if not isinstance(said, dict) or not all(isinstance(said.get(name), str) for name in ("experiment", "device", "phase")):
        return False
    figures = [said.get(name) for name in ("processes", *NUMBERS)] + [said[name] for name in WHERE_KNOWN if said.get(name) is not None]
    return all(isinstance(figure, int | float) and 0 <= figure < math.inf for figure in figures)


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
