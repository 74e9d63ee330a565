"""calibrate: temperature, prior, thresholds and what is familiar, chosen on the validation split. Runs no network.

Reads   data/validation/, models/model/model.json, data/catalog.parquet
Writes  models/model/calibration.json, models/model/familiarity.safetensors, metrics/calibrate.json
Run     dvc repro calibrate        (to take out the prior: dvc exp run -S calibrate.adjust=validation)
"""

import numpy as np

from dermlab.calibrate.build import calibrate, numbers
from dermlab.calibrate.params import Params
from dermlab.data.json_files import write_json
from dermlab.data.tables import CASE, CATALOG, read_table
from dermlab.data.validation import read_validation
from dermlab.model.calibration import save_calibration
from dermlab.model.folder import read_description
from dermlab.run import paths
from dermlab.run.command import run_command
from dermlab.run.params import read_params
from dermlab.run.progress import say


def main() -> None:
    params, validation = read_params(Params), read_validation()
    who = read_table(paths.CATALOG, CATALOG, ["image_id", "patient_id", CASE]).set_index("image_id").reindex(validation.image_ids)
    patients, cases = who["patient_id"].to_numpy(), who[CASE].to_numpy(str)
    prior = np.array(read_description(paths.MODEL).prior)
    found = calibrate(validation, patients, cases, prior, params)
    save_calibration(found)
    write_json(paths.metrics_of("calibrate"), numbers(found, validation, cases))
    say(f"calibrate: temperature {found.temperature:.2f}, tau {found.tau:g} (validation would choose {found.chosen_tau:g}), {found.tiers}")


if __name__ == "__main__":
    run_command(main)
