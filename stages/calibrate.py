"""calibrate: temperature, prior, thresholds and what is familiar, chosen on the validation split. Runs no network.

Reads   data/validation/, models/model/model.json, data/catalog.parquet, data/groups.csv
Writes  models/model/calibration.json, models/model/familiarity.safetensors, metrics/calibrate.json
Run     dvc repro calibrate        (to take out the prior: dvc exp run -S calibrate.adjust=validation)
"""

import numpy as np

from dermlab.calibrate.build import calibrate, numbers
from dermlab.calibrate.params import Params
from dermlab.data.classes import Classes
from dermlab.data.groups import read_groups
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
    network = read_description(paths.MODEL)
    classes = Classes(network.classes)
    found = calibrate(validation, patients, cases, np.array(network.prior), params, classes.names, read_groups(classes))
    save_calibration(found)
    write_json(paths.metrics_of("calibrate"), numbers(found, validation, cases, classes.names))
    say(f"calibrate: temperature {found.temperature:.2f}, tau {found.tau:g} (validation would choose {found.chosen_tau:g}), {found.tiers}")
    for group in found.groups:
        from_here = "no threshold: too few validation patients" if group.threshold is None else f"called so from {group.threshold:.3f} on"
        say(f"           {group.name}: {from_here}")


if __name__ == "__main__":
    run_command(main)
