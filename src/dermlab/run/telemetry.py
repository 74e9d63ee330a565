"""What training costs: `data/train-log.jsonl`, a line an epoch. It is no out and no metric, for times differ between equal runs."""

import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import torch

from dermlab.run import paths

Item = TypeVar("Item")


class Feed:
    """Hands batches on and adds up the seconds in which the network had none to work on."""

    def __init__(self, batches: Iterable[Item]) -> None:
        self._batches = batches
        self.waited, self._started = 0.0, time.perf_counter()

    @property
    def share(self) -> float:
        """Of the time since the start."""
        return self.waited / max(time.perf_counter() - self._started, 1e-9)

    def __iter__(self) -> Iterator[Item]:
        batches = iter(self._batches)
        while True:
            asked = time.perf_counter()
            batch = next(batches, None)
            self.waited += time.perf_counter() - asked
            if batch is None:
                return
            yield batch


@dataclass
class TrainLog:
    recipe: str  # the digest that names its checkpoints
    device: torch.device
    processes: int = 1
    usd_per_hour: float = 0.0  # of the machine, 0: not said
    flops: float | None = None  # of an image, forward and backward
    peak: float | None = None  # of all devices together, a second; None where not known
    path: Path | None = None
    _started: float = field(default_factory=time.perf_counter)

    def epoch(self, phase: str, epoch: int, images: int, training: float, waiting: float) -> None:
        """Writes a line. `images`: seen by all processes in `training` seconds; the rest of the time since the last line was validation
        and the like, and is paid for too."""
        now = time.perf_counter()
        seconds, self._started = now - self._started, now
        row: dict[str, Any] = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "experiment": os.environ.get("DVC_EXP_NAME") or "workspace",
            "recipe": self.recipe,
            "phase": phase,
            "epoch": epoch,
            "images": images,
            "seconds": round(seconds, 2),
            "training_seconds": round(training, 2),
            "waiting_seconds": round(waiting, 2),
            "images_per_second": round(images / max(training, 1e-9), 1),
            "device": torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu",
            "processes": self.processes,
            "device_hours": round(self.processes * seconds / 3600, 5),
        }
        if self.device.type == "cuda":
            row["memory_gb"] = round(torch.cuda.max_memory_allocated(self.device) / 1e9, 2)
        if phase == "finetune" and self.flops and self.peak:
            row["flop_utilisation"] = round(images * self.flops / max(training, 1e-9) / self.peak, 4)
        if self.usd_per_hour:
            row["usd"] = round(self.usd_per_hour * seconds / 3600, 4)
        path = self.path or Path(os.environ.get("DVC_ROOT", ".")) / paths.TRAIN_LOG
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
