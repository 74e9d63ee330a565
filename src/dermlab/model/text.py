"""Text features in the space of the cached image features, for backbones whose image tower was trained beside a text tower."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from dermlab.model.hub import fetched, published_model
from dermlab.model.names import WITHOUT_TEXT, repository_of
from dermlab.model.published import open_clip_folder, quick_gelu_of
from dermlab.model.runtime import main_device
from dermlab.model.torchvision_shim import declare_missing_operators
from dermlab.run.progress import progress

TEXTS_AT_ONCE = 32


@dataclass(frozen=True)
class TextFeatures:
    vectors: np.ndarray  # float32 [P, D], rows of length 1
    logit_scale: float  # what the model learnt to multiply cosine similarities by


@dataclass(frozen=True)
class _Tower:
    model: nn.Module
    tokens: Callable[[list[str]], torch.Tensor]  # texts to int64 [P, L]
    encode: Callable[[torch.Tensor], torch.Tensor]  # tokens to features [P, D]. `model` holds both, and log(logit scale)


def has_text(backbone: str) -> bool:
    """Whether `text_features` knows the backbone. Of the `hf` models only SigLIP is: its pooled features are compared with text
    as they are, where CLIP's go through a projection that the cached ones have not seen.

    Raises SourceError where an `hf` model's configuration cannot be fetched.
    """
    family = backbone.partition(":")[0]
    if family != "hf":
        return family not in WITHOUT_TEXT
    declare_missing_operators()
    from transformers import AutoConfig

    repository, revision = repository_of(backbone)
    with fetched(backbone, True):
        return AutoConfig.from_pretrained(repository, revision=revision).model_type == "siglip"


def text_features(backbone: str, texts: Sequence[str]) -> TextFeatures:
    """Features of P texts by the text tower of a backbone that `has_text`. Raises SourceError where it cannot be fetched."""
    declare_missing_operators()
    tower = TOWERS[backbone.partition(":")[0]](backbone)
    device = main_device()
    tower.model.to(device).eval()
    # SigLIP 2 was trained on lower-case text and its tokenizer leaves capitals; those of CLIP and SigLIP lower them anyway.
    texts = [text.lower() for text in texts]
    vectors = []
    with torch.inference_mode(), progress("Text prompts", len(texts), "texts") as meter:
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            part = texts[start : start + TEXTS_AT_ONCE]
            vectors.append(F.normalize(tower.encode(tower.tokens(part).to(device)).float(), dim=1).cpu())
            meter.advance(len(part))
    return TextFeatures(torch.cat(vectors).numpy(), float(tower.model.logit_scale.detach().exp()))


def _open_clip(backbone: str) -> _Tower:
    import open_clip

    name, _, tag = backbone.removeprefix("open_clip:").partition("/")
    with fetched(backbone, True):
        if repository_of(backbone):
            name, tag = f"local-dir:{open_clip_folder(backbone)}", None
        quick_gelu = tag is not None and quick_gelu_of(name, tag)
        model = open_clip.create_model(name, pretrained=tag, require_pretrained=True, force_quick_gelu=quick_gelu)
        tokens = open_clip.get_tokenizer(name)
    return _Tower(model, tokens, model.encode_text)


def _siglip(backbone: str) -> _Tower:
    """SigLIP's text tower reads the last of its 64 positions and was trained on padded texts, the padding not masked
    (Zhai et al. 2023, as in big_vision): a shorter sequence or an attention mask would give other features."""
    from transformers import AutoConfig, AutoTokenizer

    repository, revision = repository_of(backbone)
    with fetched(backbone, True):
        config = AutoConfig.from_pretrained(repository, revision=revision)
        tokenizer = AutoTokenizer.from_pretrained(repository, revision=revision)
        model = published_model(repository, config, "two towers", revision)
    length = config.text_config.max_position_embeddings  # 64

    def tokens(texts: list[str]) -> torch.Tensor:
        return tokenizer(texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt")["input_ids"]

    return _Tower(model, tokens, lambda ids: model.text_model(input_ids=ids).pooler_output)


TOWERS: dict[str, Callable[[str], _Tower]] = {"open_clip": _open_clip, "medsiglip": _siglip, "hf": _siglip}
