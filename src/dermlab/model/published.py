"""Networks that people publish on a hub in the layout of timm or of open_clip: a configuration and weights beside it.

Safetensors where the repository has them; else a PyTorch file, which both libraries read with `weights_only`: nothing is unpickled.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dermlab.model.hub import fetched
from dermlab.model.names import folder_of, repository_of
from dermlab.run.errors import ParamsError, SourceError

OF_TIMM = ("model.safetensors", "pytorch_model.bin")
OF_OPEN_CLIP = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
SMALL_FILES = ["*.json", "*.txt", "*.model"]  # configuration and vocabulary
# Of a CLIP that is built for its image tower alone.
NO_TEXT = {"context_length": 1, "vocab_size": 1, "width": 1, "heads": 1, "layers": 1}


def timm_trunk(name: str, image_size: int, pretrained: bool, config: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """The network without its classifier, and what builds it again without a hub. Raises ParamsError, SourceError."""
    import timm

    if not pretrained:
        check_stored(name, config)
        sized = {"img_size": image_size} if config["fixed_size"] else {}
        return timm.create_model(config["architecture"], num_classes=0, **{**config["arguments"], **sized}), config
    with fetched(name, True):
        folder = _folder(name, OF_TIMM)
        described = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        settings = timm.get_pretrained_cfg(described["architecture"])
        fixed = settings is not None and settings.fixed_input_size
        # With its classifier: timm lets weights be missing where the number of classes is another one, and draws them at random.
        trunk = timm.create_model(f"local-dir:{folder}", pretrained=True, **({"img_size": image_size} if fixed else {}))
    trunk.reset_classifier(0)
    data = timm.data.resolve_data_config(pretrained_cfg=trunk.pretrained_cfg)
    return trunk, {
        "architecture": described["architecture"],
        "arguments": {key: value for key, value in described.get("model_args", {}).items() if key not in ("num_classes", "img_size")},
        "fixed_size": fixed,
        "image_size": data["input_size"][-1],
        "mean": list(data["mean"]),
        "std": list(data["std"]),
    }


def width_of_timm(trunk: nn.Module) -> int:
    """D of the features that come out. `num_features` are those of its last map; some networks, such as MobileNetV3, widen them behind
    their pooling."""
    return getattr(trunk, "head_hidden_size", trunk.num_features)


def open_clip_vision(name: str, image_size: int, pretrained: bool, config: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """The image tower, and what builds it again without a hub. Raises ParamsError, SourceError."""
    import open_clip

    if not pretrained:
        check_stored(name, config)
        of_timm = "timm_model_name" in config["vision"]
        sized = {} if of_timm else {"image_size": image_size}
        vision = open_clip.CLIP(config["embed_dim"], {**config["vision"], **sized}, NO_TEXT, config["quick_gelu"]).visual
        if of_timm:
            vision.set_input_size(image_size)
        return vision, config
    with fetched(name, True):
        model = f"local-dir:{_folder(name, OF_OPEN_CLIP)}"
        vision = open_clip.create_model(
            model, force_image_size=image_size, require_pretrained=True, device=torch.get_default_device()
        ).visual
        settings = open_clip.get_model_config(model)
    return vision, {
        "embed_dim": settings["embed_dim"],
        "vision": {**settings["vision_cfg"], "timm_model_pretrained": False},
        "quick_gelu": settings.get("quick_gelu", False),
        "mean": list(vision.image_mean),
        "std": list(vision.image_std),
    }


def quick_gelu_of(model: str, tag: str) -> bool:
    """Whether these weights of open_clip's own list were trained with QuickGELU. Of many it is another activation than the model's
    configuration names, and open_clip computes theirs only where it is told to."""
    import open_clip

    return bool(open_clip.get_pretrained_cfg(model, tag).get("quick_gelu"))


def open_clip_folder(name: str) -> Path:
    """With all that open_clip reads of the repository. Raises SourceError."""
    return _folder(name, OF_OPEN_CLIP)


def check_stored(name: str, config: dict[str, Any]) -> None:
    """Raises ParamsError where there is nothing to build a network from."""
    if not config:
        raise ParamsError(f"backbone: {name} cannot be built without weights: its configuration was not stored.")


def _folder(name: str, weights: Sequence[str]) -> Path:
    """Where the small files of a repository lie, and the first of `weights` that it has. Raises SourceError where it has none of them."""
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import EntryNotFoundError

    if (given := folder_of(name)) is not None:
        return given
    repository, revision = repository_of(name)
    folder = Path(snapshot_download(repository, revision=revision, allow_patterns=SMALL_FILES))
    for file in weights:
        try:
            hf_hub_download(repository, file, revision=folder.name)
            return folder
        except EntryNotFoundError:  # nor in the cache, where there is no way to the hub
            continue
    raise SourceError(f"{repository} has none of {', '.join(weights)}.")
