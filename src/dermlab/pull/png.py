"""What lies beside the pixels of a PNG, and what of it is too large to be unpacked."""

import struct
import zlib

PNG = b"\x89PNG\r\n\x1a\n"
LARGEST = 2**20  # bytes, unpacked: what Pillow takes of one text or profile
LARGEST_TOGETHER = 2**23  # of all texts


def without_bombs(data: bytes) -> bytes:
    """The same file without texts and profiles that unpack to more than that, which Pillow refuses together with the photo."""
    kept, at, texts = [data[: len(PNG)]], len(PNG), 0
    while at + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + 12 + length  # length, kind and checksum stand around the content
        size = _size(kind, data[at + 8 : at + 8 + length]) if kind in (b"iCCP", b"zTXt", b"iTXt", b"tEXt") else 0
        texts += size
        if not size or (size <= LARGEST and texts <= LARGEST_TOGETHER):
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def _size(kind: bytes, content: bytes) -> int:
    """Unpacked, in bytes; of what is larger than LARGEST just that."""
    _name, _, rest = content.partition(b"\0")
    if kind == b"tEXt" or (kind == b"iTXt" and rest[:1] == b"\0"):
        return len(content)
    packed = rest[2:].split(b"\0", 2)[-1] if kind == b"iTXt" else rest[1:]  # behind the flag, a language and a keyword; behind the method
    try:
        return len(zlib.decompressobj().decompress(packed, LARGEST + 1))
    except zlib.error:
        return len(content)
