"""LoRA (Hu et al. 2022): the network stays as it came, and beside each linear layer W of its blocks learns a product of two thin matrices,
W x + (alpha / rank) B A x. Merged at the end, W + (alpha / rank) B A, so that what is kept is a plain network."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from dermlab.model.backbones import Backbone
from dermlab.model.runtime import seed_everything
from dermlab.model.torchvision_shim import declare_missing_operators
from dermlab.run.errors import ParamsError
from dermlab.run.progress import say
from dermlab.train.params import Params


def adapt(backbone: Backbone, params: Params, image_size: int) -> Callable[[], None]:
    """Decides what of the backbone learns. Returns what makes it a plain network again, once it has. Raises ParamsError."""
    knobs = params.train
    if knobs.adapt == "full":
        backbone.train_last(knobs.trainable_blocks)
        return lambda: None
    seed_everything(params.seed, 2)  # a run that goes on draws the adapters anew, from the same numbers
    return add_adapters(backbone, knobs.trainable_blocks, knobs.lora_rank, knobs.lora_alpha, image_size)


def add_adapters(backbone: Backbone, blocks: int, rank: int, alpha: float, image_size: int) -> Callable[[], None]:
    """In the last `blocks` blocks, 0: all. Everything else of the backbone is frozen. Returns what merges the adapters and takes them away.

    Raises ParamsError where these blocks call no linear layer: LoRA is made for the projections of attention and MLPs, and what it is worth
    beside the small convolutions of a network such as lite0 nobody has shown; and where none of these layers is as wide as `rank`.
    """
    names = backbone.last_blocks(blocks)
    opened = _open_attention(backbone.trunk, names)
    targets = _called_layers(backbone, names, image_size)
    if not targets:
        raise ParamsError(f"train.adapt: lora needs linear layers, and the blocks of {backbone.name} have none. Take `full`, or a ViT.")
    widest = max(min(backbone.trunk.get_submodule(name).weight.shape) for name in targets)
    if rank > widest:
        raise ParamsError(
            f"train.lora_rank: {rank} is more than the {widest} of the widest layer in these blocks of {backbone.name}: the matrices "
            "beside it are to be thin. Lower it, or take train.adapt: full."
        )
    declare_missing_operators()
    from peft import LoraConfig, LoraModel

    adapted = LoraModel(backbone.trunk, LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets), "default")
    sizes = [parameter.numel() for parameter in backbone.parameters() if parameter.requires_grad]
    say(f"LoRA of rank {rank} beside {len(targets)} linear layers in {len(names)} blocks: {sum(sizes):,} weights learn")

    def merge() -> None:
        adapted.merge_and_unload(safe_merge=True)
        for name, attention in opened.items():
            backbone.trunk.set_submodule(name, attention)

    return merge


class _OpenAttention(nn.Module):
    """What `nn.MultiheadAttention` makes of one sequence, by the same weights in layers that are called: torch's own hands the weights to a
    function, past whatever stands beside them."""

    def __init__(self, closed: nn.MultiheadAttention) -> None:
        super().__init__()
        self.heads, self.batch_first, self.dropout = closed.num_heads, closed.batch_first, closed.dropout
        self.in_proj = nn.Linear(closed.embed_dim, 3 * closed.embed_dim, closed.in_proj_bias is not None, device="meta")
        self.in_proj.weight, self.in_proj.bias = closed.in_proj_weight, closed.in_proj_bias
        self.out_proj = closed.out_proj

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, need_weights: bool = False, attn_mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, None]:
        """[B, L, D], or [L, B, D] unless `batch_first`."""
        if key is not query or value is not query or need_weights:
            raise ParamsError("train.adapt: lora knows attention of a sequence to itself alone, and here is another. Take `full`.")
        sequence = query if self.batch_first else query.transpose(0, 1)
        q, k, v = self.in_proj(sequence).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask, self.dropout if self.training else 0.0)
        out = self.out_proj(attended.transpose(1, 2).flatten(2))
        return (out if self.batch_first else out.transpose(0, 1)), None


def _open_attention(trunk: nn.Module, blocks: Sequence[str]) -> dict[str, nn.MultiheadAttention]:
    """Opens torch's attention in these blocks. Returns what it was, by name."""
    closed = {name: module for name, module in _within(trunk, blocks) if isinstance(module, nn.MultiheadAttention)}
    for name, attention in closed.items():
        trunk.set_submodule(name, _OpenAttention(attention))
    return closed


def _called_layers(backbone: Backbone, blocks: Sequence[str], image_size: int) -> list[str]:
    """Names of the linear layers in these blocks that a forward pass calls: one whose weights are handed to a function, as BEiT's queries,
    keys and values are in timm, would get an adapter that nothing reaches."""
    layers = {module: name for name, module in _within(backbone.trunk, blocks) if isinstance(module, nn.Linear)}
    called: set[nn.Module] = set()
    hooks = [layer.register_forward_hook(lambda layer, *_: called.add(layer)) for layer in layers]
    training = backbone.training
    with torch.no_grad():
        backbone.eval()(torch.zeros(1, 3, image_size, image_size, dtype=torch.uint8, device=backbone.mean.device))
    backbone.train(training)
    for hook in hooks:
        hook.remove()
    return [name for layer, name in layers.items() if layer in called]


def _within(trunk: nn.Module, blocks: Sequence[str]) -> list[tuple[str, nn.Module]]:
    return [(name, module) for name, module in trunk.named_modules() if name.startswith(tuple(f"{block}." for block in blocks))]
