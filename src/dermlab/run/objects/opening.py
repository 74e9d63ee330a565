"""Where a source's objects are read from: what a location says."""

import os
from importlib import import_module
from pathlib import Path

from dermlab.run import paths
from dermlab.run.errors import SourceError
from dermlab.run.objects.files import FolderFiles, ZipFiles
from dermlab.run.objects.keys import Files, Objects
from dermlab.run.objects.pseudonyms import Named, Pseudonyms

# Looked up by name, not imported: what is drawn stands in the etags, so that `pull` from a bucket knows nothing of a pencil.
DRAWN = {"phantom": "dermlab.phantom.objects"}


def open_files(location: str, endpoint_url: str | None = None, connections: int = 16) -> Files:
    """`location`: a folder, a zip or s3://BUCKET/PREFIX. Raises SourceError."""
    if location.startswith("s3://"):
        from dermlab.run.objects.bucket import S3Files

        return S3Files(location, endpoint_url, connections)
    path = Path(location).expanduser()
    if not os.path.exists(path):  # unlike Path's, it raises nothing where it may not look
        raise SourceError(f"{path} does not exist, or may not be reached. Give the path of a folder or a zip.")
    return FolderFiles(path) if path.is_dir() else ZipFiles(path)


def open_objects(location: str, endpoint_url: str | None = None, connections: int = 16, keys: Path = paths.KEYS) -> Objects:
    """`location`: as of `open_files`, or of a simulator in DRAWN, such as phantom:IMAGES:SEED. `keys`: the file that says what pseudonyms
    stand for, where tables hold them. Raises SourceError for a source that is not there."""
    kind, _, rest = location.partition(":")
    drawn = import_module(DRAWN[kind]).objects_of(rest) if kind in DRAWN else None
    return Named(drawn or open_files(location, endpoint_url, connections), Pseudonyms(keys))
