"""catalog: who and what, apart from pixels: every image's patient, label, split and answers, and which objects are wanted.

Reads   data/source/ (written by `dermlab lock SOURCE`)
Writes  data/catalog.parquet, data/wanted.parquet, data/truth.parquet, metrics/catalog.json
Run     dvc repro catalog        (labels made wrong on purpose: dvc exp run -S catalog.noise_rate=0.1)
"""

from dermlab.catalog.build import build_catalog
from dermlab.catalog.params import Params
from dermlab.data import paths
from dermlab.data.command import run_command
from dermlab.data.files import write_json
from dermlab.data.params import read_params
from dermlab.data.pin import read_pin
from dermlab.data.progress import say
from dermlab.data.tables import CATALOG, TRUTH, WANTED, write_table


def main() -> None:
    params = read_params(Params, check_all=True).catalog
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
