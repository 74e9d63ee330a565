"""From a file's bytes to a verified photo without metadata."""

import hashlib
import io
import warnings
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from dermlab.pull.colour import NothingToSeeError, to_srgb
from dermlab.pull.png import PNG, without_bombs

JPEG_QUALITY = 92  # 4:2:0; visually lossless at the sizes a backbone sees
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")  # no format whose decoder runs a foreign program
ORIENTATION = 0x0112  # EXIF
MAX_SCANS = 100  # cameras and encoders write 10 or so
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
# What people also upload: where its first bytes stand, what they are, what to say.
FOREIGN = (
    (4, (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypheim", b"ftypheis", b"ftypmif1", b"ftypmsf1"),
     "HEIC: `pip install pillow-heif` and pull again, or convert to JPEG"),
    (4, (b"ftypavif", b"ftypavis"), "AVIF: convert to JPEG or PNG"),
    (0, (b"II*\0\x10\0\0\0CR", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FUJIFILMCCD-RAW"), "camera RAW: export as JPEG"),
    (4, (b"ftypcrx",), "camera RAW: export as JPEG"),
    (0, (b"\xff\x0a", b"\0\0\0\x0cJXL "), "JPEG XL: convert to JPEG or PNG"),
    (128, (b"DICM",), "DICOM: export as PNG, without the patient's data"),
    (0, (b"%PDF",), "PDF: export the photo as JPEG"),
    (0, (b"8BPS",), "Photoshop: export as JPEG or PNG"),
    (0, (b"<svg", b"<?xml"), "SVG or XML, no photo"),
    (0, (b"<!DOCTYPE", b"<!doctype", b"<html"), "a web page, no photo: the upload or download failed"),
    (0, (b"version https://git-lfs",), "a Git LFS pointer: `git lfs pull`"),
)  # fmt: skip


@dataclass(frozen=True)
class Photo:
    jpeg: bytes
    # `width`, `height`: of `jpeg`
    width: int
    height: int
    sha256: str  # of `jpeg`
    phash: int  # 64-bit DCT hash of the upright photo
    note: str | None = None  # what of the file is not in the photo, None for nothing


class BrokenImageError(Exception):
    """Not an image that can be used; the text is the reason for the quarantine table."""


def develop(data: bytes, short_side: int, max_pixels: int) -> Photo:
    """Checks, turns upright, brings to sRGB, shrinks to `short_side` pixels (never enlarges) and re-encodes. Of an animated file the
    first frame. Raises BrokenImageError and nothing else, whatever the bytes are."""
    image, jpeg, note = _checked(data, short_side, max_pixels)
    import imagehash  # with scipy, for which a prediction, which needs no hash, would wait

    bits = np.packbits(imagehash.phash(image).hash.ravel())
    return Photo(
        jpeg=jpeg,
        width=image.width,
        height=image.height,
        sha256=hashlib.sha256(jpeg).hexdigest(),
        phash=int.from_bytes(bits.tobytes(), "big"),
        note=note,
    )


def stored_jpeg(data: bytes, short_side: int, max_pixels: int) -> bytes:
    """The `jpeg` of `develop` alone."""
    return _checked(data, short_side, max_pixels)[1]


def _checked(data: bytes, short_side: int, max_pixels: int) -> tuple[Image.Image, bytes, str | None]:
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked below, before any pixel is decoded
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that we do not use
            return _develop_png(data, short_side, max_pixels) if data.startswith(PNG) else _develop(data, short_side, max_pixels)
    except BrokenImageError:
        raise
    except NothingToSeeError as error:
        raise BrokenImageError(str(error)) from error
    except UnidentifiedImageError as error:
        raise BrokenImageError(_kind(data)) from error
    except Exception as error:  # decoders raise whatever the damage makes them raise
        said = " ".join(str(error).split())[:80] or type(error).__name__
        raise BrokenImageError(f"cannot be decoded: {said}") from error


def _develop_png(data: bytes, short_side: int, max_pixels: int) -> tuple[Image.Image, bytes, str | None]:
    """As `_develop`. A text or a profile that Pillow refuses to unpack is left out: the pixels are what counts."""
    try:
        return _develop(data, short_side, max_pixels)
    except ValueError:
        lighter = without_bombs(data)
        if lighter == data:
            raise
    photo, jpeg, note = _develop(lighter, short_side, max_pixels)
    return photo, jpeg, _joined(note, "a text or colour profile beside the pixels, too large to be one, is left out")


def _joined(*notes: str | None) -> str | None:
    return "; ".join(filter(None, notes)) or None


def _develop(data: bytes, short_side: int, max_pixels: int) -> tuple[Image.Image, bytes, str | None]:
    """The photo, its JPEG and the note."""
    with Image.open(io.BytesIO(data), formats=_formats()) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise BrokenImageError(f"{width}x{height} pixels, more than pull.max_pixels")
        if min(width, height) < 16:
            raise BrokenImageError(f"{width}x{height} pixels, too small to show anything")
        scans = data.count(b"\xff\xda")  # a progressive JPEG may ask for the whole photo to be gone over thousands of times
        if scans > MAX_SCANS and scans * width * height > MAX_SCANS * max_pixels:
            raise BrokenImageError(f"{scans} scans of {width}x{height} pixels, more work than a photo of pull.max_pixels")
        image.draft("RGB", (2 * short_side, 2 * short_side))  # JPEG only: decodes at a fraction where that is enough
        image.load()
        moves = "animated or of several pages: the first frame is used" if _moves(image) else None
        photo, of_colour = to_srgb(image)
        if (turn := UPRIGHT.get(_orientation(image))) is not None:
            photo = photo.transpose(turn)
    scale = short_side / min(photo.size)
    if scale < 1:
        size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
        photo = photo.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    photo.info = {}  # or a comment would be written again, whatever it says of a patient
    encoded = io.BytesIO()
    photo.save(encoded, "JPEG", quality=JPEG_QUALITY)
    return photo, encoded.getvalue(), _joined(moves, of_colour)


@cache  # to look for a package takes as long as to encode a photo
def _formats() -> tuple[str, ...]:
    if find_spec("pillow_heif") is None:
        return FORMATS
    import pillow_heif

    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def _orientation(image: Image.Image) -> int:
    """1 where the file says nothing that makes sense."""
    try:
        said = image.getexif().get(ORIENTATION)
    except Exception:  # damaged metadata; the pixels are what counts
        return 1
    return said if isinstance(said, int) else 1


def _moves(image: Image.Image) -> bool:
    """A phone's photo with a second picture for its own use (MPO) is one photo."""
    return image.format != "MPO" and getattr(image, "n_frames", 1) > 1


def _kind(data: bytes) -> str:
    if not data:
        return "empty file"
    start = data.lstrip()[:200]
    for offset, magics, what in FOREIGN:
        if (data if offset else start)[offset:].startswith(magics):
            return f"not an image we read ({what})"
    return "not an image"
