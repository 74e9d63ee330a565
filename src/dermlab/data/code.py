"""A digest of code and versions, for what must not be taken up again by another program than the one that left it."""

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path


def code_digest(files: Iterable[Path], distributions: Iterable[str] = ()) -> str:
    """16 hex digits of the files' names and contents and of the installed versions of the distributions."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.parent.name}/{path.name}\0".encode() + path.read_bytes())
    for name in sorted(distributions):
        digest.update(f"{name}=={version(name)}\0".encode())
    return digest.hexdigest()[:16]
