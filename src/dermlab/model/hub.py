"""Fetching weights from a hub: quick to give up where there is no way to it, and clear about what to do."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import nn

from dermlab.model.names import folder_of
from dermlab.run.errors import DermlabError, SourceError


@contextmanager
def fetched(backbone: str, wanted: bool) -> Iterator[None]:
    """Around the call that fetches, or reads the folder that stands for a repository. Raises SourceError, whatever the hub's client raised;
    ParamsError for a name that cannot be meant. Does nothing unless `wanted`."""
    if not wanted:
        # open_clip warns on the root logger that it built a network without weights, which is what was asked for.
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
        return
    folder = folder_of(backbone)
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    if folder is None:
        _give_up_at_once_where_unreachable(endpoint)
    try:
        yield
    except DermlabError:
        raise
    except Exception as error:  # each client has dozens of its own
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        if folder is not None:
            raise SourceError(
                f"The weights of backbone {backbone} could not be read from {folder} ({reason}). A folder holds what a repository of this "
                "layout does: a configuration, and weights beside it."
            ) from error
        raise SourceError(
            f"The weights of backbone {backbone} could not be fetched from {endpoint} ({reason}). "
            "If the machine is offline, copy a filled hub cache and point HF_HOME at it. If the model is gated (medsiglip "
            "is), accept its terms on its page and run `hf auth login`. Or use a backbone that needs no hub: "
            "`-S backbone=lite0`."
        ) from error


def published_model(repository: str, config: Any, part: str, revision: str | None = None) -> nn.Module:
    """The transformers model that `config` describes, float32, with its weights from the repository's safetensors.

    Raises SourceError where the repository lacks weights of this `part`: transformers would draw them at random.
    """
    from transformers import AutoModel
    from transformers.utils import logging as said

    before = said.get_verbosity()
    said.set_verbosity_error()  # of a vision tower alone it lists every weight of the text tower as a surprise
    try:
        model, report = AutoModel.from_pretrained(
            repository, revision=revision, config=config, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    finally:
        said.set_verbosity(before)
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise SourceError(f"{repository} lacks {len(missing)} weights of its {part}, such as {missing[0]}.")
    return model


def _give_up_at_once_where_unreachable(endpoint: str) -> None:
    """The clients retry an unknown host for 20 to 50 seconds; offline mode reads their cache and fails at once."""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return
    try:
        socket.getaddrinfo(urlsplit(endpoint).hostname, 443)
    except OSError:
        import huggingface_hub.constants

        huggingface_hub.constants.HF_HUB_OFFLINE = True
