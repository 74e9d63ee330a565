"""The curves of a run, for people and `dvc exp show`."""

import shutil
from pathlib import Path
from typing import Any


class Curves:
    """DVCLive's folder of curves, which `dvc exp show` reads while training runs. A resumed run writes the epochs before
    the interruption again, as DVC empties the folder. No timings in it: equal runs leave equal bytes."""

    def __init__(self, folder: Path, history: list[dict[str, Any]]) -> None:
        import dvclive

        shutil.rmtree(folder, ignore_errors=True)  # dvclive writes in place, and a file here may be a link into DVC's cache
        # The defaults would rewrite dvc.yaml, draw a report and save a stray experiment.
        self.live = dvclive.Live(dir=str(folder), save_dvc_exp=False, dvcyaml=None, report=None)
        for row in history:
            self.log(row)

    def log(self, row: dict[str, Any]) -> None:
        for name, value in shown(row).items():
            self.live.log_metric(name, value)
        self.live.next_step()

    def end(self) -> None:
        self.live.end()


def shown(row: dict[str, Any]) -> dict[str, float]:
    """What of an epoch's `row` is told."""
    names = {"train_loss": "train_loss", "top1": "val_top1", "macro_f1": "val_macro_f1", "nll": "val_nll"}
    return {name: round(row[key], 4) for key, name in names.items()}
