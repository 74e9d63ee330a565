"""Where the source's objects lie on this machine: in no hash and in no commit, so that the same photos elsewhere change nothing."""

import os
from pathlib import Path

from dermlab.data import paths
from dermlab.data.errors import SourceError
from dermlab.data.files import write_text


def write_location(location: str, path: Path = paths.LOCATION) -> None:
    write_text(path, location + "\n")


def read_location(path: Path = paths.LOCATION) -> str:
    """Where the objects lie on this machine: `DERMLAB_SOURCE`, else what `dermlab lock` noted. Raises SourceError where neither says."""
    if said := os.environ.get("DERMLAB_SOURCE"):
        return said
    if Path(path).exists():
        return Path(path).read_text(encoding="utf-8").strip()
    raise SourceError(
        "Nothing says where the source's objects lie on this machine. Set DERMLAB_SOURCE (such as DERMLAB_SOURCE=/data/photos, or "
        "phantom:4800:17), or run `dermlab lock` with the source here: the same objects give the same pin."
    )
