"""From a file's bytes to a verified photo without metadata."""

import hashlib
import io
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

JPEG_QUALITY = 92  # 4:2:0; visually lossless at the sizes a backbone sees
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")  # no format whose decoder runs a foreign program


@dataclass(frozen=True)
class Photo:
    """`sha256`: of `jpeg`. `phash`: 64-bit DCT hash of the upright photo. `width`, `height`: of `jpeg`."""

    jpeg: bytes
    width: int
    height: int
    sha256: str
    phash: int


class BrokenImageError(Exception):
    """Not an image that can be used; the text is the reason for the quarantine table."""


def develop(data: bytes, short_side: int, max_pixels: int) -> Photo:
    """Checks, turns upright, shrinks to `short_side` pixels (never enlarges) and re-encodes. Raises BrokenImageError."""
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked below, before any pixel is decoded
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise BrokenImageError(f"{width}x{height} pixels, more than pull.max_pixels")
            if min(width, height) < 16:
                raise BrokenImageError(f"{width}x{height} pixels, too small to show anything")
            image.draft("RGB", (2 * short_side, 2 * short_side))  # JPEG only: decodes at a fraction where that is enough
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except BrokenImageError:
        raise
    except UnidentifiedImageError as error:
        raise BrokenImageError("not an image") from error
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        raise BrokenImageError(f"cannot be decoded: {' '.join(str(error).split())[:80]}") from error
    scale = short_side / min(upright.size)
    if scale < 1:
        size = (max(1, round(upright.width * scale)), max(1, round(upright.height * scale)))
        upright = upright.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    encoded = io.BytesIO()
    upright.save(encoded, "JPEG", quality=JPEG_QUALITY)  # a new file: no EXIF, no location, no embedded profile
    bits = np.packbits(imagehash.phash(upright).hash.ravel())
    return Photo(
        jpeg=encoded.getvalue(),
        width=upright.width,
        height=upright.height,
        sha256=hashlib.sha256(encoded.getvalue()).hexdigest(),
        phash=int.from_bytes(bits.tobytes(), "big"),
    )
