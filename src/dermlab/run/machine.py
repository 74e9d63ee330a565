"""How the work is done, not what comes of it: `machine:` in params.yaml, or `DERMLAB_WORKERS=8` and the like. No stage depends on it."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from dermlab.run import paths
from dermlab.run.errors import ParamsError
from dermlab.run.params import Block, Count, Positive, StageParams, read_params, validated


class Machine(Block):
    """`machine:` of params.yaml."""

    workers: Count
    """Processes that decode photos in `pull`; 0: one a core."""
    scheduler: Annotated[str, Field(pattern=r"^(none|(tcp|tls)://.+)$")]
    """`tcp://HOST:PORT` of a Dask cluster whose workers do that instead."""
    connections: Positive
    """S3 requests under way at once in each of them."""
    disk_budget_gb: Annotated[float, Field(ge=0)]
    """What `pull` may fill, in 10^9 bytes; 0: what is free."""
    loaders: Count
    """Processes that decode for the network; 0: none on a CPU, half the cores on a GPU."""
    batch_size: Positive
    """Photos at once where nothing is trained."""
    gpus: Count
    """Processes of `embed`, `train` and `evaluate`, one a GPU; 0: all there are."""
    checkpoint_minutes: Annotated[float, Field(ge=0)]
    """Between checkpoints within an epoch; 0: none."""
    checkpoint_mirror: Annotated[str, Field(pattern=r"^(none|s3://[^/]+.*)$")]
    """`s3://BUCKET/PREFIX` that gets a copy of each checkpoint, for a machine that may be gone with its disk."""
    tracker: Literal["none", "wandb", "trackio"]
    """`wandb` or `trackio`, where you have it, is told params and curves of each training."""
    usd_per_hour: Annotated[float, Field(ge=0)]
    """Of the rented machine, for `dermlab preflight` and `dermlab cost`; 0: not said."""
    max_hours: Annotated[float, Field(ge=0)]
    """Above which `dermlab preflight` says no; 0: not said."""
    max_usd: Annotated[float, Field(ge=0)]
    """Above which `dermlab preflight` says no; 0: not said."""

    @property
    def processes(self) -> int:
        return self.workers or len(os.sched_getaffinity(0))


class _Params(StageParams):
    machine: Machine


def check_machine(raw: dict[str, Any]) -> None:
    """Of what is to become params.yaml. Raises ParamsError."""
    validated(_Params, raw, paths.PARAMS)


def read_machine(path: Path = paths.PARAMS) -> Machine:
    """Raises ParamsError, also for a variable that is no whole number."""
    machine = read_params(_Params, path).machine
    said = {name: os.environ[f"DERMLAB_{name.upper()}"] for name in Machine.model_fields if f"DERMLAB_{name.upper()}" in os.environ}
    try:
        return Machine.model_validate({**machine.model_dump(), **said})
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise ParamsError(f"DERMLAB_{name.upper()}: {said[name]!r} is not valid: {error.errors()[0]['msg'].lower()}") from None
