"""catalog: who and what, apart from pixels: every image's patient, label, split and answers, and which objects are wanted.

Reads   data/source/ (written by `dermlab lock SOURCE`)
Writes  data/catalog.parquet, data/wanted.parquet, data/truth.parquet, metrics/catalog.json
Run     dvc repro catalog        (labels made wrong on purpose: dvc exp run -S catalog.noise_rate=0.1)
"""

from dermlab.catalog.build import build_catalog
from dermlab.catalog.params import Params
from dermlab.data.json_files import write_json
from dermlab.data.pin import read_pin
from dermlab.data.tables import CATALOG, TRUTH, WANTED, write_table
from dermlab.run import paths
from dermlab.run.command import run_command
from dermlab.run.params import check_params, read_params
from dermlab.run.progress import say


def main() -> None:
    check_params()  # hours may pass before the other stages read theirs
    params = read_params(Params).catalog
    pin = read_pin()
    made = build_catalog(pin, params)
    write_table(paths.CATALOG, made.catalog, CATALOG, pin.questions)
    write_table(paths.WANTED, made.wanted, WANTED)
    write_table(paths.TRUTH, made.truth, TRUTH)
    numbers = {
        "source": pin.kind,
        "images": len(made.catalog),
        "patients": made.catalog["patient_id"].nunique(),
        "split": made.catalog["split"].value_counts().sort_index().to_dict(),
        "per_class": made.catalog["label"].value_counts().sort_index().to_dict(),
    }
    write_json(paths.metrics_of("catalog"), numbers)
    say(f"catalog: {numbers['images']} images of {numbers['patients']} patients, {len(pin.classes.targets)} classes")


if __name__ == "__main__":
    run_command(main)
