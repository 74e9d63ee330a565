"""Reading a source's objects by key: from a folder or a zip without ever leaving it, from S3 (`s3`), or drawn by the phantom."""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol, Self

from dermlab.data.errors import SourceError

if TYPE_CHECKING:
    from dermlab.pull.phantom.recipes import Recipe

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


class _OneByOne:
    """Objects that are read one after another, each whole. `read` and `etag` are those of the kind."""

    def some(self, keys: Sequence[str]) -> Self:
        return self

    def read_many(self, keys: Sequence[str]) -> Iterator[tuple[bytes, str]]:
        for key in keys:
            data = self.read(key)
            yield data, self.etag(data)


class FolderFiles(_OneByOne):
    """Objects are files below `root`; the etag is the SHA-256 of the content. A folder directly in `root` may be a link: the user put it
    there. Any other link that leads out is refused."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise SourceError(f"The source folder {self.root} does not exist. Mount or copy it there, or lock another source.")
        self.linked = [entry for entry in self.root.iterdir() if entry.is_symlink() and entry.is_dir()]
        self.allowed = [path.resolve() for path in (self.root, *self.linked)]

    def list(self) -> "list[str]":
        found = {p.relative_to(self.root).as_posix() for top in (self.root, *self.linked) for p in top.rglob("*") if p.is_file()}
        return sorted(filter(is_data, found))

    def read(self, key: str) -> bytes:
        check_key(key, str(self.root))
        path = self.root / key
        resolved = path.resolve()
        if not any(resolved.is_relative_to(root) for root in self.allowed):
            raise SourceError(f"{path} is a link that leads out of {self.root}. Copy the file into the folder instead.")
        try:
            check_size(path.stat().st_size, key)
            return path.read_bytes()
        except OSError as error:
            raise ObjectError(key, f"cannot be read ({error.strerror}). Restore it, or lock the source again") from error

    def pin(self, key: str) -> tuple[int, str]:
        data = self.read(key)
        return len(data), self.etag(data)

    def etag(self, data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()


class ZipFiles(_OneByOne):
    """Objects are the members of one zip; the etag is the CRC-32 that the zip's own directory holds."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._zip: zipfile.ZipFile | None = None
        self._open()

    def _open(self) -> zipfile.ZipFile:
        if self._zip is None:
            try:
                self._zip = zipfile.ZipFile(self.path)
            except (OSError, zipfile.BadZipFile) as error:
                raise SourceError(f"{self.path} is not a readable zip ({error}). Download it again or give its folder.") from error
        return self._zip

    def list(self) -> "list[str]":
        return sorted(name for name in self._open().namelist() if not name.endswith("/") and is_data(name))

    def _member(self, key: str) -> zipfile.ZipInfo:
        check_key(key, str(self.path))
        try:
            member = self._open().getinfo(key)
        except KeyError as error:
            raise ObjectError(key, f"is not in {self.path}. Lock the source again, or restore the zip") from error
        check_size(member.file_size, key)
        return member

    def read(self, key: str) -> bytes:
        member = self._member(key)
        try:
            with self._open().open(member) as file:
                data = file.read(member.file_size + 1)  # a member may lie about its size
        except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
            raise ObjectError(key, f"of {self.path} cannot be unpacked ({type(error).__name__}). Download the zip again") from error
        if len(data) != member.file_size:
            raise ObjectError(key, f"of {self.path} unpacks to another size than it states. Refused as a bomb")
        return data

    def pin(self, key: str) -> tuple[int, str]:
        member = self._member(key)
        return member.file_size, f"{member.CRC:08x}"

    def etag(self, data: bytes) -> str:
        return f"{zlib.crc32(data):08x}"

    def __getstate__(self) -> dict:
        return {"path": self.path, "_zip": None}  # a process that gets a copy opens the zip itself


class PhantomFiles:
    """Objects are drawn when they are read; the etag is the digest of the recipe they are drawn from."""

    def __init__(self, recipes: "dict[str, Recipe]") -> None:
        self.recipes = recipes

    def some(self, keys: Sequence[str]) -> "PhantomFiles":
        if missing := [key for key in keys if key not in self.recipes]:
            raise SourceError(f"The phantom clinic has no {missing[0]}. Lock it again: `dermlab lock phantom`.")
        return PhantomFiles({key: self.recipes[key] for key in keys})

    def read_many(self, keys: Sequence[str]) -> Iterator[tuple[bytes, str]]:
        from dermlab.pull.phantom.clinic import etag_of
        from dermlab.pull.phantom.drawing import draw

        for key in keys:
            yield draw(self.recipes[key]), etag_of(self.recipes[key])


class Objects(Protocol):
    """`some`: what a process needs to read these keys alone, small and picklable. `read_many`: each key's bytes and etag, in order."""

    def some(self, keys: Sequence[str]) -> "Objects": ...

    def read_many(self, keys: Sequence[str]) -> Iterator[tuple[bytes, str]]: ...


class Files(Objects, Protocol):
    """Objects that can be listed and pinned, too."""

    def list(self) -> "list[str]": ...

    def read(self, key: str) -> bytes: ...

    def pin(self, key: str) -> tuple[int, str]: ...


def open_files(location: str, endpoint_url: str | None = None, connections: int = 16) -> Files:
    """`location`: a folder, a zip or s3://BUCKET/PREFIX. Raises SourceError."""
    if location.startswith("s3://"):
        from dermlab.pull.s3 import S3Files

        return S3Files(location, endpoint_url, connections)
    path = Path(location).expanduser()
    if not path.exists():
        raise SourceError(f"{path} does not exist. Give the path of a folder or a zip.")
    return FolderFiles(path) if path.is_dir() else ZipFiles(path)


def open_objects(location: str, endpoint_url: str | None = None, connections: int = 16) -> Objects:
    """`location`: as of `open_files`, or phantom:IMAGES:SEED. Raises SourceError for one that is not there."""
    kind, *numbers = location.split(":")
    if kind == "phantom" and len(numbers) == 2 and all(number.isdigit() for number in numbers):
        from dermlab.pull.phantom.clinic import simulate

        clinic = simulate(*map(int, numbers))
        return PhantomFiles(dict(zip(clinic.manifest["key"], clinic.recipes, strict=True)))
    return open_files(location, endpoint_url, connections)
