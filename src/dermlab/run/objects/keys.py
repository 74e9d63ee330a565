"""What an object of a source is: a key, its bytes and its etag; which keys are taken and which refused."""

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

from dermlab.run.errors import SourceError

MAX_OBJECT_BYTES = 256_000_000  # a photo is a few MB; a member that unpacks to more is a zip bomb


class ObjectError(SourceError):
    """One object cannot be read. The message does not name it: a key may name a patient. Who knows the image's id adds it."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"An object {why}.")
        self.key, self.why = key, why


def check_size(size: int, key: str) -> None:
    if size > MAX_OBJECT_BYTES:
        raise ObjectError(key, f"is {size:,} bytes; no photo is larger than {MAX_OBJECT_BYTES:,}. Refused as a bomb")


def check_key(key: str, where: str) -> None:
    """Raises SourceError for a key that could point outside its folder."""
    parts = key.replace("\\", "/").split("/")
    if not key or key.startswith("/") or ".." in parts or re.match("[A-Za-z]:", key):
        raise SourceError(f"{where}: the key {key!r} points outside the source's folder. Keys are relative paths without `..`.")
    if "\\" in key:
        raise SourceError(f"{where}: the name {key!r} holds a backslash, which other systems take for a folder. Rename it.")


def check_utf8(name: str, where: str) -> None:
    """Raises SourceError for a name whose bytes are no UTF-8, as old servers and USB sticks leave them: no table could hold it."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        read = name.encode("utf-8", "surrogateescape").decode("latin-1")
        raise SourceError(
            f"{where}: the name {read!r} (read as Latin-1) is not UTF-8. Rename what is so named: `convmv -f latin1 -t utf8 -r --notest .` "
            "in the folder that holds it; where the name above is not right, write its true encoding for latin1."
        ) from error


# What systems leave beside data, without case: of Synology, QNAP and NetApp, Windows, macOS, Linux, Android, Python. What begins with a
# dot is hidden for a reason: .DS_Store, ._1.jpg, .Trashes, .AppleDouble, .git, .ipynb_checkpoints
LITTER = {
    "@eadir", "@tmp", "@sharebin", "@recycle", "@recently-snapshot", "@__thumb", "#recycle", "#snapshot", "~snapshot",
    "$recycle.bin", "recycler", "recycled", "system volume information", "found.000", "msocache", "thumbs.db", "ehthumbs.db",
    "ehthumbs_vista.db", "desktop.ini", "__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder", "icon\r",
    "lost+found", "lost.dir", "__pycache__",
}  # fmt: skip


def is_litter(name: str) -> bool:
    """`name`: one part of a path. `~$labels.xlsx` is the lock of an open workbook."""
    return name.casefold() in LITTER or name.startswith("~$") or (name.startswith(".") and name not in (".", ".."))


def litter_in(key: str) -> str | None:
    """A path up to what systems leave beside data, such as `a/@eaDir` of `a/@eaDir/1.jpg/2.jpg`; None where nothing of it is that."""
    parts = key.split("/")
    return next(("/".join(parts[:depth]) for depth, part in enumerate(parts, 1) if is_litter(part)), None)


HEAD_BYTES = 512  # which tell what a file is
PHOTOS = (
    ".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif", ".avif", ".jfif", ".jpe", ".jif", ".mpo",
    ".jpg_large",
)  # fmt: skip


def is_photo(key: str) -> bool:
    """By its name; what it is, its content tells (`develop`)."""
    return key.lower().endswith(PHOTOS)


class Objects(Protocol):
    """`some`: what a process needs to read these keys alone, small and picklable. `read_many`: each key's bytes and etag, in order."""

    def some(self, keys: Sequence[str]) -> "Objects": ...

    def read_many(self, keys: Sequence[str]) -> Iterator[tuple[bytes, str]]: ...


class Files(Objects, Protocol):
    """Objects that can be listed and pinned, too. `said`: what a person should hear of how they were listed."""

    said: "Sequence[str]"

    def list(self) -> "list[str]":
        """Every key, sorted, also of what systems leave beside data; of a folder that they leave its path may stand for what it holds.
        Raises SourceError where something cannot be listed or read whatever it is."""
        ...

    def read(self, key: str) -> bytes: ...

    def heads(self, keys: Sequence[str]) -> Iterator[bytes]:
        """The first HEAD_BYTES of each, in order."""
        ...

    def pin(self, key: str) -> tuple[int, str]: ...
