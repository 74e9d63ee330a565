"""Makes torchvision importable beside a CPU build of torch.

PyPI's torchvision is built for CUDA. Beside a CPU build of torch its compiled half cannot be loaded, and the import then
stops at "operator torchvision::nms does not exist", because torchvision describes the shapes of two operators that only the
compiled half declares. timm, open_clip and transformers all import torchvision, and none of what they use here needs those
operators: declaring their names is enough.
"""

import importlib.util
from pathlib import Path

import torch

OPERATORS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[torch.library.Library] = []  # a Library takes its operators along when it is collected


def declare_missing_operators() -> bool:
    """Call before the first import of torchvision. True if the operators were declared; False where torchvision is whole
    or absent, or where this was done before."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or _declared or hasattr(torch.ops.torchvision, "nms"):
        return False
    if any(_loads(library) for library in sorted(Path(spec.origin).parent.glob("_C*.*"))):
        return False
    _declared.append(torch.library.Library("torchvision", "DEF"))
    for name, signature in OPERATORS.items():
        _declared[-1].define(name + signature)
    return True


def _loads(library: Path) -> bool:
    """As `torchvision.extension` tries it itself."""
    try:
        torch.ops.load_library(str(library))
    except (ImportError, OSError):
        return False
    return True
