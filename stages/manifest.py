"""manifest: which images are used, with which label or two and which weight. Variants change training rows only; test rows are frozen.

Reads   data/source/ (classes), data/catalog.parquet, data/images.parquet, data/flags.parquet, manifest.ledger (data/relabels.csv)
Writes  data/manifest.parquet, metrics/manifest.json
Run     dvc repro manifest        (another variant: dvc exp run -S variant=cleaned+rebalanced)
"""

from pathlib import Path

import pandas as pd

from dermlab.data.classes import read_classes
from dermlab.data.json_files import write_json
from dermlab.data.ledger import HEADER, read_ledger
from dermlab.data.lines import lost_lines
from dermlab.data.rows import read_rows
from dermlab.data.tables import FLAGS, HELD_OUT_FOLD, MANIFEST, read_table, write_table
from dermlab.manifest.build import build_manifest
from dermlab.manifest.params import Params
from dermlab.run import paths
from dermlab.run.command import run_command
from dermlab.run.params import read_params
from dermlab.run.progress import say


def main() -> None:
    params = read_params(Params)
    rows, flags, classes = read_rows(), read_table(paths.FLAGS, FLAGS), read_classes()
    decisions = Path(params.manifest.ledger)
    ledger = pd.DataFrame(columns=list(HEADER))  # other variants do not stop at a line of the ledger
    if "relabeled" in params.variants:
        ledger = read_ledger(decisions, rows, classes)
    manifest, numbers = build_manifest(rows, flags, ledger, classes, params.variants, params.manifest, params.seed)
    write_table(paths.MANIFEST, manifest, MANIFEST)
    write_json(paths.metrics_of("manifest"), numbers)
    kept, saved = numbers["rows"], sum(numbers["saved_by_guard"].values())
    say(
        f"manifest: {params.variant}: {kept['train']} train, {kept['val']} val, {kept['test']} test rows; "
        f"{numbers['dropped']} dropped, {saved} saved by the guard, {numbers['relabeled']} relabeled, "
        f"{numbers['softened']} softened, {numbers['leaks_left_out']} leaks left out"
        + (f"; {numbers['distributed']} towards what all of their raters said" if "distributed" in numbers else "")
    )
    if params.manifest.fold:
        say(f"      held-out fold {params.manifest.held_out}: {kept[HELD_OUT_FOLD]} training rows, to be predicted")
    if "relabeled" in params.variants and (lost := lost_lines(decisions)):
        say(f"      {lost}")
    if "relabeled" in params.variants and not len(ledger):
        say(f"      {decisions} has no lines, so `relabeled` changes nothing")


if __name__ == "__main__":
    run_command(main)
