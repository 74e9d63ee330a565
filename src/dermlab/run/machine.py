"""How the work is done, not what comes of it: `machine:` in params.yaml, or `DERMLAB_WORKERS=8` and the like. No stage depends on it."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from dermlab.run import paths
from dermlab.run.errors import ParamsError
from dermlab.run.params import Block, Count, Positive, StageParams, read_params


class Machine(Block):
    """`workers`: processes that decode images in `pull`, 0: one a core. `scheduler`: of a Dask cluster whose workers do that instead.
    `connections`: S3 requests under way at once in each of them. `disk_budget_gb`: what `pull` may fill, in 10^9 bytes; 0: what is free.
    `loaders`: processes that decode for the network, 0: none on a CPU, half the cores on a GPU. `batch_size`: images at once where
    nothing is trained. `checkpoint_minutes`: between checkpoints within an epoch, 0: none; `checkpoint_mirror`: s3://BUCKET/PREFIX that
    gets a copy of each, or `none`. `tracker`: wandb or trackio are told params and curves of a training, where installed. `gpus`:
    processes of embed, train and evaluate, one a GPU, 0: all there are. `usd_per_hour`, `max_hours`, `max_usd`: what `dermlab preflight`
    reckons with; 0: not said."""

    workers: Count
    scheduler: Annotated[str, Field(pattern=r"^(none|(tcp|tls)://.+)$")]
    connections: Positive
    disk_budget_gb: Annotated[float, Field(ge=0)]
    loaders: Count
    batch_size: Positive
    gpus: Count
    checkpoint_minutes: Annotated[float, Field(ge=0)]
    checkpoint_mirror: Annotated[str, Field(pattern=r"^(none|s3://[^/]+.*)$")]
    tracker: Literal["none", "wandb", "trackio"]
    usd_per_hour: Annotated[float, Field(ge=0)]
    max_hours: Annotated[float, Field(ge=0)]
    max_usd: Annotated[float, Field(ge=0)]

    @property
    def processes(self) -> int:
        return self.workers or len(os.sched_getaffinity(0))


class _Params(StageParams):
    machine: Machine


def read_machine(path: Path = paths.PARAMS) -> Machine:
    """Raises ParamsError, also for a variable that is no whole number."""
    machine = read_params(_Params, path).machine
    said = {name: os.environ[f"DERMLAB_{name.upper()}"] for name in Machine.model_fields if f"DERMLAB_{name.upper()}" in os.environ}
    try:
        return Machine.model_validate({**machine.model_dump(), **said})
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise ParamsError(f"DERMLAB_{name.upper()}: {said[name]!r} is not valid: {error.errors()[0]['msg'].lower()}") from None
