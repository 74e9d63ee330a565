"""Fetching weights from a hub: quick to give up where there is no way to it, and clear about what to do."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from dermlab.data.errors import DermlabError, SourceError


@contextmanager
def fetched(backbone: str, wanted: bool) -> Iterator[None]:
    """Around the call that fetches. Raises SourceError, whatever the hub's client raised. Does nothing unless `wanted`."""
    if not wanted:
        # open_clip warns on the root logger that it built a network without weights, which is what was asked for.
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
        return
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    _give_up_at_once_where_unreachable(endpoint)
    try:
        yield
    except DermlabError:
        raise
    except Exception as error:  # each client has dozens of its own
        reason = " ".join(str(error).split())[:300]
        raise SourceError(
            f"The weights of backbone {backbone} could not be fetched from {endpoint} ({type(error).__name__}: {reason}). "
            "If the machine is offline, copy a filled hub cache and point HF_HOME at it. If the model is gated (medsiglip "
            "is), accept its terms on its page and run `hf auth login`. Or use a backbone that needs no hub: "
            "`-S backbone=lite0`."
        ) from error


def _give_up_at_once_where_unreachable(endpoint: str) -> None:
    """The clients retry an unknown host for 20 to 50 seconds; offline mode reads their cache and fails at once."""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return
    try:
        socket.getaddrinfo(urlsplit(endpoint).hostname, 443)
    except OSError:
        import huggingface_hub.constants

        huggingface_hub.constants.HF_HUB_OFFLINE = True
