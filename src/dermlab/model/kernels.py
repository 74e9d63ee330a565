"""How a network is run: which attention kernel, what is compiled, which number format, how much arithmetic that is. None of it changes
what is computed beyond rounding."""

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from dermlab.model.backbones import Backbone
from dermlab.model.runtime import Runtime
from dermlab.run.progress import say

KERNELS = {
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
}
ALIKE = 4  # so many blocks of one shape share one compilation; fewer would not earn its half minute
# Dense bfloat16 multiply-adds counted as two, in 10^12 a second: the makers' data sheets, without sparsity.
PEAK_TFLOPS = {
    "H100 PCIe": 756, "H100 NVL": 835, "H100": 989, "H200": 989, "GH200": 989, "B200": 2250, "A100": 312, "A10G": 70, "A10": 125,
    "L40S": 362, "L40": 181, "L4": 121, "RTX 4090": 165, "RTX A6000": 155, "RTX 6000 Ada": 364,
}  # fmt: skip


def choose_attention(backbone: Backbone, image_size: int, images: int, runtime: Runtime) -> str | None:
    """Measures a forward and backward pass of `images` images with each kernel for attention that this GPU has, and keeps to the fastest
    from then on. Returns its name; None where there is no choice. What is fastest depends on the head's size: 72, of SigLIP so400m, is
    padded by some."""
    if runtime.device.type != "cuda" or not _attends(backbone, image_size, runtime):
        return None
    seconds = {}
    for name, kernel in KERNELS.items():
        try:
            with sdpa_kernel([kernel]):
                seconds[name] = min(_pass(backbone, image_size, images, runtime) for _ in range(3))
        except RuntimeError:  # this GPU, this library or this shape has no such kernel
            continue
    if not seconds:
        return None
    best = min(seconds, key=seconds.get)
    torch.backends.cuda.enable_cudnn_sdp(best == "cudnn")
    torch.backends.cuda.enable_flash_sdp(best == "flash")
    torch.backends.cuda.enable_mem_efficient_sdp(best == "efficient")
    shown = ", ".join(f"{name} {1e3 * value / images:.1f}" for name, value in sorted(seconds.items(), key=lambda item: item[1]))
    say(f"Attention by {best} (ms an image, forward and backward: {shown})")
    return best


def compile_blocks(backbone: Backbone, runtime: Runtime) -> int:
    """Compiles the blocks of the backbone where many are alike, one compilation for all; on a GPU only. Returns how many."""
    blocks = [backbone.trunk.get_submodule(name) for name in backbone.blocks()]
    if runtime.device.type != "cuda" or not alike(blocks):
        return 0
    for block in blocks:
        block.compile(dynamic=False)
    say(f"{len(blocks)} blocks are compiled; the first steps take longer")
    return len(blocks)


def alike(blocks: list[nn.Module]) -> bool:
    """ALIKE or more blocks, all of one class and with parameters of the same shapes."""
    shapes = {(type(block), tuple((name, tuple(p.shape)) for name, p in block.named_parameters())) for block in blocks}
    return len(blocks) >= ALIKE and len(shapes) == 1


@contextmanager
def uncompiled() -> Iterator[None]:
    """For batches of other sizes and without gradients, for which every block would be compiled again."""
    if "torch._dynamo" not in sys.modules:  # nothing has been compiled, and its import takes two seconds
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


@contextmanager
def frozen_as_inferred(backbone: Backbone, runtime: Runtime) -> Iterator[None]:
    """The blocks before the first that learns run as they do in `embed` and `evaluate`: in the format of inference, without gradients. On a
    CPU that multiplies bfloat16 they take half the time; where both formats are one, nothing changes."""
    frozen: dict[str, nn.Module] = {}
    for name in backbone.blocks():
        block = backbone.trunk.get_submodule(name)
        if any(parameter.requires_grad for parameter in block.parameters()):
            break
        frozen[name] = block
    if runtime.infer_dtype == runtime.train_dtype or not frozen:
        yield
        return
    autocast = torch.autocast(runtime.device.type, runtime.infer_dtype)
    handed_on = _handed_on(backbone, list(frozen))
    try:
        for name, block in frozen.items():
            block.forward = torch.no_grad()(autocast(block.forward))
            if name not in handed_on:
                block.forward = _giving(runtime.train_dtype, block.forward)
        yield
    finally:
        for block in frozen.values():
            vars(block).pop("forward", None)


def _handed_on(backbone: Backbone, frozen: list[str]) -> set[str]:
    """Of these blocks, whose names follow each other, those whose features the next of them takes as they are: no layer, such as the
    downsampling between two stages, stands behind them."""
    owners = [next((block for block in frozen if name.startswith(f"{block}.")), None) for name, _ in backbone.trunk.named_parameters()]
    behind = {(before, after) for before, after in itertools.pairwise(owners)}
    return {before for before, after in itertools.pairwise(frozen) if (before, after) in behind}


def _giving(dtype: torch.dtype, forward: Callable[..., Any]) -> Callable[..., Any]:
    """`forward`, whose tensor, or that of a tuple, comes in this format. Libraries hand a block more than one thing: masks, sizes."""

    def given(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(given, value))
        return value.to(dtype) if isinstance(value, torch.Tensor) and value.is_floating_point() else value

    return lambda *positional, **named: given(forward(*positional, **named))


def training_flops(backbone: Backbone, image_size: int, device: torch.device) -> float:
    """Floating-point operations of one image's forward and backward pass, counted by torch; a multiply-add is two."""
    with uncompiled(), FlopCounterMode(display=False) as counter:
        backbone(torch.zeros(2, 3, image_size, image_size, dtype=torch.uint8, device=device)).sum().backward()
    backbone.zero_grad(set_to_none=True)
    return counter.get_total_flops() / 2


def peak_flops(device: torch.device) -> float | None:
    """Of the GPU in bfloat16, a second; None where the table has it not."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((1e12 * value for known, value in PEAK_TFLOPS.items() if known in name), None)


class _Noting(TorchFunctionMode):
    """Notes whether attention is computed by torch's own function, which has several kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.attends = False

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.attends = self.attends or function is nn.functional.scaled_dot_product_attention
        return function(*args, **(kwargs or {}))


def _attends(backbone: Backbone, image_size: int, runtime: Runtime) -> bool:
    with torch.no_grad(), uncompiled(), runtime.autocast(training=True), _Noting() as noting:
        backbone(torch.zeros(1, 3, image_size, image_size, dtype=torch.uint8, device=runtime.device))
    return noting.attends


def _pass(backbone: Backbone, image_size: int, images: int, runtime: Runtime) -> float:
    batch = torch.zeros(images, 3, image_size, image_size, dtype=torch.uint8, device=runtime.device)
    torch.cuda.synchronize()
    started = time.perf_counter()
    with uncompiled(), runtime.autocast(training=True):
        backbone(batch).float().sum().backward()
    torch.cuda.synchronize()
    backbone.zero_grad(set_to_none=True)
    return time.perf_counter() - started
