"""From a recipe and this machine to go or no-go."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dermlab.data.classes import OTHER
from dermlab.data.pin import Pin
from dermlab.preflight import machine_checks
from dermlab.preflight.estimate import FIELD, FIELD_SPEEDS, NO, Check, Work, deletion, disk, evidence, time_and_money
from dermlab.preflight.licence import licence, seen
from dermlab.run.machine import Machine
from dermlab.run.params import flat
from dermlab.study.recipe import Experiment, checked_params


def values_of(planned: Sequence[Experiment], params: str) -> list[dict[str, Any]]:
    """All params of each experiment by dotted key. `params`: the text of params.yaml. Raises ParamsError where one of them is not valid."""
    return [flat(YAML(typ="safe").load(text)) for text in checked_params(planned, params).values()]


def work_of(pin: Pin | None, values: Mapping[str, Any], images: int | None, originals_gb: float | None) -> Work:
    """Counts from the pin, or from what the user says of data that is not here. Splits as catalog makes them, where none are given."""
    total = images or (len(pin.manifest) if pin else 0)
    originals = originals_gb * 1e9 if originals_gb is not None else float(pin.manifest["size"].fillna(0).sum()) if pin else 0.0
    test = values["catalog.test_fraction"]
    share = {"test": test, "train": (1 - test) * (1 - values["catalog.val_fraction"])}
    if images is None and pin is not None:
        target = pin.manifest[pin.manifest["diagnosis"].map(pin.classes.label_of) != OTHER]
        counts, patients = target["split"].value_counts(), target["patient_id"].nunique()
        if len(counts):
            tested = target.loc[target["split"] == "test", "patient_id"].nunique()
            kept = 1 if "val" in counts else 1 - values["catalog.val_fraction"]  # catalog takes val out of train
            return Work(total, round(counts.get("train", 0) * kept), int(counts.get("test", 0)), originals, tested)
        rows = len(target)
        return Work(total, round(rows * share["train"]), round(rows * share["test"]), originals, round(patients * share["test"]))
    return Work(total, total, round(total * test), originals)  # said: the images that are trained on


def test_patients_of(pin: Pin, params: str) -> int:
    """params: the text of params.yaml."""
    return work_of(pin, flat(YAML(typ="safe").load(params)), None, None).test_patients


def preflight(
    planned: Sequence[Experiment],
    params: str,
    machine: Machine,
    pin: Pin | None,
    images: int | None = None,
    originals_gb: float | None = None,
    disk_gb: float | None = None,
    epoch_seconds: float | None = None,
) -> list[Check]:
    """`images`, `originals_gb`, `disk_gb`, `epoch_seconds`: figures for a machine and data that are elsewhere; without them what is here is
    tried."""
    experiments = values_of(planned, params)
    first = experiments[0]
    work = work_of(pin, first, images, originals_gb)
    if epoch_seconds:
        training = work.train_rows / epoch_seconds
        work = replace(work, speeds=(training * FIELD_SPEEDS[0] / FIELD_SPEEDS[1], training), measured="from --epoch-seconds")
    elif (first["backbone"], first["embed.image_size"]) == FIELD:
        work = replace(work, speeds=FIELD_SPEEDS, measured="as the field measured on one H100")
    free = disk_gb * 1e9 if disk_gb is not None else shutil.disk_usage(Path.cwd()).free
    checks = [
        disk(work, first["pull.image_size"], min(free, machine.disk_budget_gb * 1e9 or free)),
        *time_and_money(experiments, work, machine.usd_per_hour, machine.max_hours, machine.max_usd),
        evidence(experiments, work),
    ]
    checks += [found] if (found := deletion(experiments)) else []
    if images is None:
        checks += [
            machine_checks.gpu(first["train.precision"]),
            machine_checks.memory(),
            machine_checks.decoding(first["pull.image_size"], work.speeds and work.speeds[1]),
        ]
        checks += [machine_checks.source(pin.manifest["key"].iat[0] if pin else None), machine_checks.remote()]
    for backbone in dict.fromkeys(values["backbone"] for values in experiments):
        checks += [found for found in (machine_checks.weights(backbone), licence(backbone), seen(backbone)) if found]
    return checks


def is_go(checks: Sequence[Check]) -> bool:
    return all(check.result != NO for check in checks)
