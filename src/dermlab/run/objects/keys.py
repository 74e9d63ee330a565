"""What an object of a source is: a key, its bytes and its etag; which keys are taken and which refused."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
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
    parts = PurePosixPath(key).parts
    if not parts or key.startswith("/") or ".." in parts or "\\" in key or ":" in parts[0]:
        raise SourceError(f"{where}: the key {key!r} points outside the source's folder. Keys are relative paths without `..`.")


def is_data(key: str) -> bool:
    """False for what systems leave beside data: `__MACOSX/`, `._1.jpg`, `.DS_Store`, `Thumbs.db`."""
    parts = PurePosixPath(key).parts
    return not any(part.startswith(".") or part == "__MACOSX" for part in parts) and parts[-1].lower() not in ("thumbs.db", "desktop.ini")


PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif", ".avif", ".jfif")


def is_photo(key: str) -> bool:
    """By its name; what it is, its content tells (`develop`)."""
    return key.lower().endswith(PHOTOS)


class Objects(Protocol):
    """`some`: what a process needs to read these keys alone, small and picklable. `read_many`: each key's bytes and etag, in order."""

    def some(self, keys: Sequence[str]) -> "Objects": ...

    def read_many(self, keys: Sequence[str]) -> Iterator[tuple[bytes, str]]: ...


class Files(Objects, Protocol):
    """Objects that can be listed and pinned, too."""

    def list(self) -> "list[str]": ...

    def read(self, key: str) -> bytes: ...

    def pin(self, key: str) -> tuple[int, str]: ...
