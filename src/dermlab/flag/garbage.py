"""How likely a photo shows no skin: by text prompts where the backbone reads text, else by distance (dermlab.flag.not_skin)."""

from collections.abc import Callable
from functools import partial

import numpy as np

from dermlab.flag.not_skin import not_skin_score
from dermlab.flag.params import FlagParams, joined
from dermlab.model.text import has_text, text_features
from dermlab.run.errors import ContractError, ParamsError, SourceError
from dermlab.run.progress import say


def not_skin_scorer(backbone: str, params: FlagParams) -> Callable[[np.ndarray], np.ndarray]:
    """What maps image features [N, D] to scores float32 [N] in 0..1, as `flag.garbage` asks; says which way it is.

    Raises ParamsError where prompts are asked for and the backbone reads no text, SourceError where its text tower cannot be
    fetched: never another way in silence, since the numbers would then depend on the machine.
    """
    if params.garbage == "distance":
        say("Garbage by distance from the bulk of the images, as asked")
        return not_skin_score
    skin, not_skin, templates = joined(params.skin_prompts), joined(params.not_skin_prompts), joined(params.prompt_templates)
    try:
        if has_text(backbone):
            texts = text_features(backbone, [template.replace("{}", prompt) for prompt in (*skin, *not_skin) for template in templates])
            classes = averaged(texts.vectors, len(templates))
            say(f"Garbage by {len(skin)} prompts for skin and {len(not_skin)} for anything else, in {len(templates)} templates")
            return partial(prompt_score, skin=classes[: len(skin)], not_skin=classes[len(skin) :], logit_scale=texts.logit_scale)
    except SourceError as error:
        raise SourceError(f"{error} Garbage is found without text by `-S flag.garbage=distance`.") from error
    if params.garbage == "prompts":
        raise ParamsError(
            f"flag.garbage: prompts needs a backbone that reads text, and {backbone} is no such model. Use `-S flag.garbage=distance`, "
            "or a backbone that reads text: medsiglip, open_clip:<model>/<pretrained>, or hf:<name> of a SigLIP model."
        )
    say(f"Garbage by distance from the bulk of the images: {backbone} reads no text")
    return not_skin_score


def averaged(vectors: np.ndarray, templates: int) -> np.ndarray:
    """float32 [P, D], rows of length 1: a prompt's vector is the mean over its templates (Radford et al. 2021, section 3.1.4).

    vectors: [P * templates, D], rows of length 1, the templates of one prompt one after another.
    """
    return _unit(vectors.reshape(-1, templates, vectors.shape[1]).mean(axis=1))


def prompt_score(features: np.ndarray, skin: np.ndarray, not_skin: np.ndarray, logit_scale: float) -> np.ndarray:
    """float32 [N] in 0..1: the probability of all `not_skin` prompts together, by a softmax over the prompts of both kinds.

    features: [N, D], of any length; skin: [S, D] and not_skin: [G, D], rows of length 1. A photo that no prompt fits better than
    another has G / (S + G). SigLIP's bias, one number for all prompts, cancels. Raises ContractError where D differs.
    """
    if features.shape[1] != skin.shape[1]:
        raise ContractError(
            f"data/embeddings has {features.shape[1]} features an image and the backbone's text tower {skin.shape[1]}: they are of "
            "two models. Run `dvc repro embed`."
        )
    logits = logit_scale * (_unit(features) @ np.concatenate([skin, not_skin]).T).astype(np.float64)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (odds[:, len(skin) :].sum(axis=1) / odds.sum(axis=1)).astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """float32 [N, D], rows of length 1."""
    vectors = np.asarray(vectors, dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
