"""pull: every pinned image, verified, upright, without metadata, in shards.

Reads   data/source/ (written by `dermlab lock SOURCE`)
Writes  data/catalog.parquet, data/shards/, data/quarantine.parquet, data/truth.parquet, metrics/pull.json
Run     dvc repro pull        (tiny: dermlab lock phantom after setting pull.images: 300)
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

from dermlab.data import paths
from dermlab.data.files import write_json
from dermlab.data.params import read_params
from dermlab.data.progress import say
from dermlab.data.stage import run_stage
from dermlab.data.tables import CATALOG, QUARANTINE, TRUTH, write_table
from dermlab.pull.lock import read_pin
from dermlab.pull.noise import with_noise
from dermlab.pull.pack import pack
from dermlab.pull.sources import open_source


def main() -> None:
    params = read_params().pull
    pin = read_pin(params)
    source = open_source(pin.uri, params)
    workers = params.workers or len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as executor:
        pulled = pack(pin, source, params, executor)
    catalog, truth = with_noise(pulled.catalog, source.truth(), pin.classes, params)
    write_table(paths.CATALOG, catalog, CATALOG, pin.questions)
    write_table(paths.QUARANTINE, pulled.quarantine, QUARANTINE)
    write_table(paths.TRUTH, truth, TRUTH)
    write_json(
        paths.metrics_of("pull"),
        {
            "source": pin.uri.partition(":")[0],
            "images": len(catalog),
            "quarantined": len(pulled.quarantine),
            "patients": catalog["patient_id"].nunique(),
            "split": catalog["split"].value_counts().sort_index().to_dict(),
            "per_class": catalog["label"].value_counts().sort_index().to_dict(),
        },
    )
    say(f"pull: {len(catalog)} images of {catalog['patient_id'].nunique()} patients, {len(pulled.quarantine)} quarantined")


if __name__ == "__main__":
    run_stage(main)
