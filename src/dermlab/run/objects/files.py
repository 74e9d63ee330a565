"""Objects that are files: of a folder, without ever leaving it, or of a zip."""

import hashlib
import os
import stat
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from dermlab.run.errors import SourceError
from dermlab.run.objects.keys import HEAD_BYTES, ObjectError, check_key, check_size, check_utf8, is_litter, litter_in
from dermlab.run.progress import some


class _OneByOne:
    """Objects that are read one after another, each whole. `read`, `head` and `etag` are those of the kind."""

    said: Sequence[str] = ()

    def some(self, keys: Sequence[str]) -> Self:
        return self

    def read_many(self, keys: Sequence[str]) -> Iterator[tuple[bytes, str]]:
        for key in keys:
            data = self.read(key)
            yield data, self.etag(data)

    def heads(self, keys: Sequence[str]) -> Iterator[bytes]:
        return map(self.head, keys)


class FolderFiles(_OneByOne):
    """Objects are files below `root`; the etag is the SHA-256 of the content. A folder directly in `root` may be a link: the user put it
    there. Any other link that leads out is refused."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        if not os.path.isdir(self.root):  # unlike Path's, it raises nothing where it may not look
            raise SourceError(f"The source folder {self.root} does not exist. Mount or copy it there, or lock another source.")
        self.linked = [path for path in _entries(self.root) if os.path.islink(path) and os.path.isdir(path) and not is_litter(path.name)]
        self.allowed = [path.resolve() for path in (self.root, *self.linked)]

    def list(self) -> "list[str]":
        self._check_links()
        keys = sorted(path.relative_to(self.root).as_posix() for path in self._below(self.root))
        for key in keys:
            check_utf8(key, str(self.root))
        return keys

    def _check_links(self) -> None:
        for number, (link, target) in enumerate(zip(self.linked, self.allowed[1:], strict=True), 1):
            others = self.allowed[:number] + self.allowed[number + 1 :]
            if any(target.is_relative_to(other) or other.is_relative_to(target) for other in others):
                raise SourceError(f"{link} is a link to {target}, which the source holds anyway: each photo would count twice. Remove it.")

    def _below(self, folder: Path) -> Iterator[Path]:
        """The files there and further below. A folder that systems leave stands for what it holds: some may not be entered at all."""
        for path in _entries(folder):
            if is_litter(path.name) or not _is_folder(path):
                yield path
            elif os.path.islink(path) and path not in self.linked:
                raise SourceError(
                    f"{path} is a link to a folder, which is followed directly in {self.root} alone. Copy what it leads to into its place."
                )
            else:
                yield from self._below(path)

    def read(self, key: str) -> bytes:
        return self._read(key, None)

    def head(self, key: str) -> bytes:
        return self._read(key, HEAD_BYTES)

    def _read(self, key: str, first: int | None) -> bytes:
        """`first`: so many bytes from the beginning; None: all."""
        check_key(key, str(self.root))
        path = self.root / key
        resolved = path.resolve()
        if not any(resolved.is_relative_to(root) for root in self.allowed):
            raise SourceError(f"{path} is a link that leads out of {self.root}. Copy the file into the folder instead.")
        try:
            if first is None:
                check_size(path.stat().st_size, key)
            with path.open("rb") as file:
                return file.read(first)
        except OSError as error:
            raise ObjectError(key, f"cannot be read ({error.strerror}). Restore it, or lock the source again") from error

    def pin(self, key: str) -> tuple[int, str]:
        data = self.read(key)
        return len(data), self.etag(data)

    def etag(self, data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise SourceError(f"{_shown(folder)} cannot be listed ({error.strerror}). Make it readable, or move it elsewhere.") from error


def _is_folder(path: Path) -> bool:
    """False for a file. Raises SourceError for what is neither, which would wait for ever or hide what it stands for."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        lost = "leads nowhere" if os.path.islink(path) else "cannot be read"
        raise SourceError(f"{_shown(path)} {lost} ({error.strerror}). Mend it, or remove it from the source.") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise SourceError(f"{_shown(path)} is no file but a pipe, socket or device. Remove it from the source.")
    return stat.S_ISDIR(mode)


def _shown(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


UNPACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
METHODS = {**zipfile.compressor_names, 93: "zstd", 95: "xz", 96: "jpeg"}
ENCRYPTED, IN_UTF8 = 0x1, 0x800  # flags of a member
REPACK = "Unpack it (`7z x`, with its password where it has one) and give the folder, or zip the folder again (`zip -r photos.zip FOLDER`)."


class ZipFiles(_OneByOne):
    """Objects are the members of one zip; the etag is the CRC-32 that the zip's own directory holds. Where a tool wrote `\\` between
    folders the key has `/`."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._zip: zipfile.ZipFile | None = None
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._open()

    def _open(self) -> zipfile.ZipFile:
        if self._zip is None:
            self._zip = _opened(self.path)
            self._members = {_key_of(member): member for member in self._zip.infolist() if not _key_of(member).endswith("/")}
        return self._zip

    def list(self) -> "list[str]":
        self._open()
        members = {key: member for key, member in self._members.items() if litter_in(key) is None}
        faults = {key: why for key, member in members.items() if (why := self._fault(member))}
        if faults:
            key, why = next(iter(faults.items()))
            raise SourceError(f"{self.path}: {len(faults)} of {len(members)} files cannot be used. The first, {key!r}, {why}. {REPACK}")
        twice = [key for key, count in Counter(map(_key_of, self._open().infolist())).items() if count > 1 and key in members]
        if twice:
            raise SourceError(
                f"{self.path} holds {some(len(twice), 'file', 'files')} twice (first: {twice[0]!r}). Which one holds is yours to say. "
                f"{REPACK}"
            )
        return sorted(self._members)

    @property
    def said(self) -> "Sequence[str]":
        guessed = [key for key, member in self._members.items() if self._is_guessed(member) and litter_in(key) is None]
        if not guessed:
            return []
        names = some(len(guessed), "name in the zip does not say its encoding and is", "names in the zip do not say their encoding and are")
        return [f"{names} read as cp437, as Windows writes them: {guessed[0]!r}"]

    def _fault(self, member: zipfile.ZipInfo) -> str | None:
        """Why a member is of no use; None where it may be read."""
        if member.flag_bits & ENCRYPTED:
            return "is encrypted"
        if member.compress_type not in UNPACKED:
            return f"is packed by a method that cannot be unpacked here ({METHODS.get(member.compress_type, member.compress_type)})"
        if stat.S_ISLNK(member.external_attr >> 16):
            return "is a link, of which the zip has nothing but the path"
        if self._is_guessed(member) and not all(c.isascii() or unicodedata.name(c, "").startswith("LATIN") for c in member.filename):
            return "has a name in an encoding that the zip does not say"
        return None

    def _is_guessed(self, member: zipfile.ZipInfo) -> bool:
        return self._open().metadata_encoding is None and not member.flag_bits & IN_UTF8 and not member.filename.isascii()

    def _member(self, key: str) -> zipfile.ZipInfo:
        check_key(key, str(self.path))
        self._open()
        if key not in self._members:
            raise ObjectError(key, f"is not in {self.path}. Lock the source again, or restore the zip")
        return self._members[key]

    def read(self, key: str) -> bytes:
        member = self._member(key)
        check_size(member.file_size, key)
        data = self._unpacked(key, member.file_size + 1)  # a member may lie about its size
        if len(data) != member.file_size:
            raise ObjectError(key, f"of {self.path} unpacks to another size than it states. Refused as a bomb")
        return data

    def head(self, key: str) -> bytes:
        return self._unpacked(key, HEAD_BYTES)

    def _unpacked(self, key: str, first: int) -> bytes:
        member = self._member(key)
        try:
            with self._open().open(member) as file:
                return file.read(first)
        except Exception as error:  # whatever the damage makes an unpacker raise
            raise ObjectError(key, f"of {self.path} cannot be unpacked ({type(error).__name__}). Download the zip again") from error

    def pin(self, key: str) -> tuple[int, str]:
        """Finds the member where the directory says that it is: a zip that lost bytes is told here, and not at the first pull."""
        member = self._member(key)
        check_size(member.file_size, key)
        self._unpacked(key, 0)
        return member.file_size, f"{member.CRC:08x}"

    def etag(self, data: bytes) -> str:
        return f"{zlib.crc32(data):08x}"

    def __getstate__(self) -> dict:
        return {"path": self.path, "_zip": None, "_members": {}}  # a process that gets a copy opens the zip itself


# What is taken for a zip now and then: where first bytes stand, what they are, and what to do about it.
NO_ZIPS = (
    (0, (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*", b"BM", b"RIFF"), "is a photo. Give the folder that holds it"),
    (4, (b"ftyp",), "is a photo or a film. Give the folder that holds it"),
    (0, (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"Rar!", b"7z\xbc\xaf\x27\x1c"), "is an archive, but no zip. {unpack}"),
    (257, (b"ustar",), "is an archive, but no zip. {unpack}"),
    (0, (b"<!doctype", b"<html", b"<?xml"), "is a page and no archive: the server sent it instead. Download it again, signed in"),
    (0, (b"PAR1",), "is a table. Give the folder that holds it and the photos"),
)
UNPACK = "Unpack it (`tar xf`, `7z x`) and give the folder"
TABLE_ENDS = (".csv", ".tsv", ".xlsx", ".xls", ".txt", ".json")


def _check_may_be_zip(path: Path) -> None:
    """Raises SourceError for what is clearly something else. A pipe would wait for ever."""
    if not os.path.isfile(path):
        raise SourceError(f"{_shown(path)} is no file but a pipe, socket or device. Give the path of a folder or a zip.")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise SourceError(f"{_shown(path)} cannot be read ({error.strerror}). Make it readable, or copy it.") from error
    if not head:
        raise SourceError(f"{path} is not a readable zip (it is empty). Download it again or give its folder.")
    if path.suffix.lower() in TABLE_ENDS:
        raise SourceError(f"{path} is a table. Give the folder that holds it and the photos.")
    for offset, magics, what in NO_ZIPS:
        if (head[offset:] if offset else head.lstrip().lower()).startswith(tuple(m.lower() for m in magics)):
            raise SourceError(f"{path} {what.format(unpack=UNPACK)}.")


def _opened(path: Path) -> zipfile.ZipFile:
    """Names that do not say their encoding are UTF-8, as macOS and Linux write them, else cp437, as Windows does."""
    _check_may_be_zip(path)
    try:
        try:
            return zipfile.ZipFile(path, metadata_encoding="utf-8")
        except UnicodeDecodeError:
            return zipfile.ZipFile(path)
    except Exception as error:  # whatever the damage makes it raise
        why = "its names are not the UTF-8 that they say they are" if isinstance(error, UnicodeDecodeError) else error
        raise SourceError(f"{path} is not a readable zip ({why}). Download it again or give its folder.") from error


def _key_of(member: zipfile.ZipInfo) -> str:
    """With `/` between folders, and at the end of one."""
    name = member.filename.replace("\\", "/")
    return name.removeprefix("./")
