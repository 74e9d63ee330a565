"""Where parts are packed: processes of this machine, or the workers of a Dask cluster."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

from dermlab.run.errors import ParamsError
from dermlab.run.machine import Machine
from dermlab.run.memory import keep_memory

TIMEOUT = 20  # seconds to reach a scheduler


@contextmanager
def executor_of(machine: Machine) -> Iterator[Executor]:
    """Workers of `machine.scheduler` must have this version of dermlab and see this folder and the source under the same paths; what one
    was doing that dies, another does again. Raises ParamsError."""
    if machine.scheduler == "none":
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(machine.processes, spawn, initializer=keep_memory, initargs=(16 * 2**20,)) as executor:
            yield executor
        return
    from distributed import Client

    try:
        client = Client(machine.scheduler, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ParamsError(f"machine.scheduler: no Dask scheduler answers at {machine.scheduler} ({type(error).__name__}).") from error
    with client:
        yield client.get_executor(pure=False)
