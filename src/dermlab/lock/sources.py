"""Where images come from: `phantom`, `folder:PATH`, `s3://BUCKET/PREFIX`, `ham10000:PATH`, `scin:PATH`; PATH may be s3:// too. Adding
a source is one class, one line."""

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from dermlab.lock import ham10000, scin
from dermlab.lock.folder import Folder
from dermlab.lock.listing import Listing, Options, Source
from dermlab.phantom.clinic import simulate
from dermlab.phantom.raters import with_raters
from dermlab.run.errors import SourceError
from dermlab.run.objects.keys import check_utf8
from dermlab.run.objects.opening import open_files
from dermlab.run.progress import say


class Phantom:
    """The embedded simulator; the only source that knows the truth."""

    def __init__(self, path: str, options: Options) -> None:
        if path:
            raise SourceError(f"`phantom` takes no path (got {path!r}). Its knobs are --images, --seed and --raters.")
        self.images, self.seed, self.raters = options.images, options.seed, options.raters
        self.location = f"phantom:{self.images}:{self.seed}"

    def scan(self) -> Listing:
        clinic = simulate(self.images, self.seed)
        if self.raters > 1:
            clinic = with_raters(clinic, self.raters, self.seed)
        return Listing(clinic.manifest, clinic.classes, clinic.questions, clinic.truth)


SOURCES: dict[str, Callable[[str, Options], Source]] = {
    "phantom": Phantom,
    "folder": Folder,
    "s3": Folder,
    "ham10000": ham10000.Ham10000,
    "scin": scin.Scin,
}


def open_source(uri: str, options: Options) -> Source:
    """`uri` is KIND, KIND:PATH, or the path of a folder or zip. Raises SourceError for an unknown kind or a path that is not there."""
    check_utf8(uri, "The source")
    kind, _, path = uri.partition(":")
    if kind not in SOURCES:
        if not os.path.exists(os.path.expanduser(uri)):
            raise SourceError(
                f"{uri!r} is not a source, nor a folder or zip that is here. Valid: phantom, folder:PATH, s3://BUCKET/PREFIX, "
                "ham10000:PATH, scin:PATH."
            )
        path, kind = uri, _kind_of(uri)
        say(f"lock: read as {kind}:{uri}")
    if kind == "s3":
        path = uri
    elif kind != "phantom":
        if not path:
            raise SourceError(f"`{kind}` needs the path of its files: {kind}:PATH.")
        path = path if path.startswith("s3://") else str(Path(path).expanduser())
    return SOURCES[kind](path, options)


def _kind_of(path: str) -> str:
    """The published set whose tables lie there, else a folder."""
    names = {PurePosixPath(key).name for key in open_files(str(Path(path).expanduser()), None).list()}
    if names & set(ham10000.METADATA):
        return "ham10000"
    return "scin" if {scin.CASES, scin.LABELS} <= names else "folder"
