"""Which device and number format the work runs in, and what makes it fast there. The choice and its reason are said once."""

import functools
import os
import random
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from dermlab.run.memory import keep_memory
from dermlab.run.progress import say

if TYPE_CHECKING:
    from accelerate import PartialState


@dataclass(frozen=True)
class Runtime:
    device: torch.device
    # `train_dtype`, `infer_dtype`: of the autocast; weights, normalisation and losses are float32 always
    train_dtype: torch.dtype
    infer_dtype: torch.dtype
    why: str

    def autocast(self, training: bool) -> AbstractContextManager:
        dtype = self.train_dtype if training else self.infer_dtype
        return nullcontext() if dtype == torch.float32 else torch.autocast(self.device.type, dtype)


@functools.cache
def set_up(precision: str = "auto") -> Runtime:
    """Chooses device and dtypes, sets threads and allocator, and says so. `precision`: auto, fp32 or bf16."""
    kept = keep_memory()
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")
        runtime = _on_gpu(device, precision)
    else:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", 1))))
        runtime = _on_cpu(precision)
    if int(os.environ.get("RANK", 0)) == 0:
        memory = "; freed memory is kept, channels last" if kept else "; channels last"
        threads = "" if runtime.device.type == "cuda" else f", {torch.get_num_threads()} threads"
        train, infer = (str(dtype).removeprefix("torch.") for dtype in (runtime.train_dtype, runtime.infer_dtype))
        say(f"On {runtime.device.type}{threads}: trains in {train}, infers in {infer} ({runtime.why}){memory}")
    return runtime


def _on_gpu(device: torch.device, precision: str) -> Runtime:
    name = torch.cuda.get_device_name(device)
    if precision == "fp32" or (precision == "auto" and not torch.cuda.is_bf16_supported(including_emulation=False)):
        return Runtime(device, torch.float32, torch.float32, f"{name}, {'as asked' if precision == 'fp32' else 'no bfloat16'}")
    return Runtime(device, torch.bfloat16, torch.bfloat16, f"{name} with float32 master weights")


def _on_cpu(precision: str) -> Runtime:
    device = torch.device("cpu")
    if precision != "auto":
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
        return Runtime(device, dtype, dtype, "as asked")
    if multiplies_bfloat16():
        # EfficientNet-Lite0 at 128 px on 2 cores: inference 545 images/s against 364, training 55 against 77.
        return Runtime(device, torch.float32, torch.bfloat16, "the CPU multiplies bfloat16, which pays without gradients only")
    return Runtime(device, torch.float32, torch.float32, "the CPU has no bfloat16 arithmetic")


def processes() -> "PartialState":
    """The processes that share this stage's work, each with its GPU; on a machine without GPUs, with its part of the cores."""
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


def main_device() -> torch.device:
    """Where large matrix products run."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def multiplies_bfloat16() -> bool:
    """True where products of bfloat16 matrices are faster than of float32: GPUs, and CPUs with AMX or AVX512-BF16."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def seed_everything(*parts: int) -> None:
    """Seeds Python, numpy and torch from all `parts` together, such as (seed, phase, epoch).

    Not by torch.manual_seed: on a machine without a GPU it notes a call and its stack for each kind of device that might still come, 15 KB
    and most of a millisecond each time, which is never given back. That is as long as a step of a head takes.
    """
    seed = int(np.random.SeedSequence(parts).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)
