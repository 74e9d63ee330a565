"""Small copies of photos for pages: pixels and nothing else."""

import io

from PIL import Image


def bare_jpeg(image: Image.Image, side: int, quality: int) -> bytes:
    """A JPEG whose longer side is at most `side` pixels; `image` is resized in place.

    Pixels are copied into a new image: EXIF, comments and profiles stay behind.
    """
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    small = image.convert("RGB")
    bare = Image.new("RGB", small.size)
    bare.paste(small)
    buffer = io.BytesIO()
    bare.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
