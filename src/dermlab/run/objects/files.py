"""Objects that are files: of a folder, without ever leaving it, or of a zip."""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from dermlab.run.errors import SourceError
from dermlab.run.objects.keys import ObjectError, check_key, check_size, is_data


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
