"""Which files of a source are photos, by name or by first bytes, and what the others are: none is passed over without a word."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from dermlab.pull.develop import FOREIGN
from dermlab.run.objects.keys import Files, is_photo
from dermlab.run.progress import progress, some

# Known by name and not opened: in a bucket one may lie beside each photo.
TEXTS = (".csv", ".tsv", ".parquet", ".json", ".jsonl", ".xml", ".txt", ".md", ".html", ".yaml", ".yml")
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Cameras write their own data as TIFF, whose first picture is a thumbnail.
RAW = (
    ".nef", ".nrw", ".dng", ".arw", ".srf", ".sr2", ".pef", ".3fr", ".fff", ".iiq", ".mef", ".mos", ".erf", ".kdc", ".dcr", ".rwl", ".srw",
    ".cr2", ".raw",
)  # fmt: skip
# Written as zips, or as old Office wrote them all.
DOCUMENTS = (
    ".docx", ".docm", ".dotx", ".doc", ".xlsx", ".xlsm", ".xlsb", ".xls", ".pptx", ".pptm", ".ppsx", ".ppt", ".odt", ".ods", ".odp",
    ".pages", ".numbers", ".key", ".epub",
)  # fmt: skip
ARCHIVE = "an archive, whose content is not read: unpack it into its place"
KINDS = (  # as FOREIGN: where first bytes stand, what they are, what that is
    *FOREIGN,
    (0, (b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"), ARCHIVE),
    (257, (b"ustar",), ARCHIVE),
    (4, (b"jP  \r\n",), "JPEG 2000: convert to JPEG or PNG"),
    (4, (b"ftyp",), "a film"),
)
SHOWN = 4  # of a list of names


def judged(files: Files, keys: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The photos among `keys`, in their order, and of each other file what it is. Raises ObjectError where one cannot be read."""
    unknown = [key for key in keys if not is_photo(key) and not key.lower().endswith(TEXTS)]
    with progress("look", len(unknown), "files") as meter:
        found = {key: kind_of(key, head) for key, head in zip(unknown, meter.track(files.heads(unknown)), strict=True)}
    photos = [key for key in keys if is_photo(key) or (key in found and found[key] is None)]
    return photos, {key: found.get(key) or "a text or table" for key in sorted(set(keys) - set(photos))}


def kind_of(key: str, head: bytes) -> str | None:
    """What a file is, by its first bytes, and what to do about it; None for a photo that is read as those are whose names say so."""
    if not head:
        return "empty"
    if key.lower().endswith(DOCUMENTS) and head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "a document"
    for offset, magics, what in KINDS:
        if (head[offset:] if offset else head.lstrip()).startswith(magics):
            return None if what.startswith(("HEIC", "AVIF")) else what  # photos by their names, too
    if head.startswith(TIFF) and key.lower().endswith(RAW):
        return "camera RAW: export as JPEG"
    return None if _is_image(head) else "no photo"


def _is_image(head: bytes) -> bool:
    bitmap = head.startswith(b"BM") and head[6:10] == bytes(4)
    webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    return bitmap or webp or head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", *TIFF))


def said_of(photos: Sequence[str], others: Mapping[str, str]) -> list[str]:
    """How many photos bear no photo's name, and how many files of which kinds are passed over."""
    said = []
    if unnamed := [key for key in photos if not is_photo(key)]:
        photos_are = some(len(unnamed), "photo is known by its content", "photos are known by their content")
        said.append(f"{photos_are}: {counted(map(_extension, unnamed))}")
    if others:
        kinds = Counter(others.values())
        named = [f"{what} ({counted(_extension(key) for key in others if others[key] == what)})" for what in kinds]
        files_are = some(len(others), "file is no photo that can be read and is", "files are no photos that can be read and are")
        said.append(f"{files_are} passed over: {'; '.join(named)}")
    return said


def counted(names: Iterable[str], shown: int = SHOWN) -> str:
    """`3 .dcm, 1 .zip`: how often each name comes, the commonest first. A terminal is given no letter that it would obey."""
    counts = Counter(name if name.isprintable() else ascii(name) for name in names).most_common()
    more = sum(count for _, count in counts[shown:])
    return ", ".join(f"{count} {name}" for name, count in counts[:shown]) + (f" and {some(more, 'other', 'others')}" if more else "")


def _extension(key: str) -> str:
    return PurePosixPath(key).suffix.lower() or "without an extension"
