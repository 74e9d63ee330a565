"""As many processes of a stage as the machine has GPUs, from the one that DVC starts."""

import os
import sys

from dermlab.run.machine import read_machine


def share_work() -> None:
    """Where `machine.gpus` (0: the GPUs there are) is more than one, becomes torchrun, which starts this very command once a GPU; else,
    and in each process of a torchrun, returns. On a machine without GPUs the processes share its cores. Raises ParamsError."""
    if "RANK" in os.environ:
        return
    processes = read_machine().gpus or len(visible_gpus())
    if processes > 1:
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        os.execv(sys.executable, [sys.executable, *launcher, *sys.argv])


def end_sharing() -> None:
    """Ends the group of processes, where there is one: a thread of it that still waits for the others when Python ends aborts the process,
    whose work is done."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def visible_gpus() -> list[str]:
    """Those there are, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return (named.split(",") if named else [str(number) for number in range(torch.cuda.device_count())])[: torch.cuda.device_count()]
