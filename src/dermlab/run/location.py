"""Where the source's objects lie on this machine: in no hash and in no commit, so that the same photos elsewhere change nothing."""

import os
from pathlib import Path

from dermlab.run import paths
from dermlab.run.errors import SourceError
from dermlab.run.files import write_text


def write_location(location: str, endpoint_url: str | None = None, path: Path = paths.LOCATION) -> None:
    """`endpoint_url`: of an S3 server that is not Amazon's."""
    write_text(path, "\n".join([location, endpoint_url or ""]).strip() + "\n")


def read_location(path: Path = paths.LOCATION) -> tuple[str, str | None]:
    """Where the objects lie on this machine, and the S3 endpoint: `DERMLAB_SOURCE` and `AWS_ENDPOINT_URL`, else what `dermlab lock` noted.
    Raises SourceError where neither says."""
    endpoint_url = os.environ.get("AWS_ENDPOINT_URL")
    if said := os.environ.get("DERMLAB_SOURCE"):
        return said, endpoint_url
    if Path(path).exists():
        location, *noted = Path(path).read_text(encoding="utf-8").split("\n")
        return location, endpoint_url or next(filter(None, noted), None)
    raise SourceError(
        "Nothing says where the source's objects lie on this machine. Set DERMLAB_SOURCE (such as DERMLAB_SOURCE=/data/photos, "
        "s3://bucket/photos or phantom:4800:17), or run `dermlab lock` with the source here: the same objects give the same pin."
    )
