"""Whatever a file calls colour, as sRGB with 8 bits a channel."""

import io
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

# Skin lies inside sRGB; this intent leaves what lies inside as it was measured, and the flag keeps shadows from closing.
INTENT, FLAGS = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
MODE_OF_SPACE = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "LAB": "LAB"}
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # a TIFF's tag, which Pillow heeds for 8 bits alone
SEEN = 8  # of 255: where no pixel is less transparent, nobody sees anything, and the alpha is a mistake of whoever wrote it
GAMMA = 2.2  # of sRGB, nearly: a PNG says 1 / 2.2
# x and y of white, red, green and blue, of sRGB
PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
RANGES = (255, 4095, 65535)  # greatest values of 8, 12 and 16 bits: cameras write 12 bits into 16


class NothingToSeeError(Exception):
    """One colour below an alpha that hides all of it."""


def to_srgb(image: Image.Image) -> tuple[Image.Image, str | None]:
    """Mode RGB, and what is to be said of it. In this order: more than 8 bits are scaled to 8, an embedded profile is converted from (one
    that is broken or does not fit is as none), or without one the gamma of a PNG, what is transparent lies on white. What is transparent
    throughout is shown as if it were not. Raises NothingToSeeError where there is one colour below."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    alpha = None
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    transform = _transform(profile) if profile else None
    if transform is None and image.mode == "LAB":
        transform = _from_lab()
    rgb = image.convert("RGB") if image.mode != "LAB" else image
    if transform is not None:
        source = image if image.mode == transform.input_mode else rgb
        if source.mode == transform.input_mode:
            rgb = transform.apply(source)
        elif transform.input_mode == "L" and image.mode in ("1", "P", "RGBA"):
            rgb = transform.apply(image.convert("L"))
    note = None
    if not profile:
        rgb, note = _from_png_numbers(rgb, image.info)
    if alpha is None:
        return rgb, note
    if alpha.getextrema()[1] < SEEN:
        if all(low == high for low, high in rgb.getextrema()):
            raise NothingToSeeError("transparent throughout, with one colour below: nothing to see")
        return rgb, "transparent throughout: shown as if it were not"
    white = Image.new("RGB", rgb.size, "white")
    white.paste(rgb, mask=alpha)
    return white, note


def _from_png_numbers(rgb: Image.Image, info: dict[str, Any]) -> tuple[Image.Image, str | None]:
    """By the gamma that a PNG states without a profile. Its primaries are taken for those of sRGB, which is said where they are not."""
    if "srgb" in info:
        return rgb, None
    gamma, primaries = info.get("gamma", 0), info.get("chromaticity", PRIMARIES)
    if 0.1 < gamma < 10 and abs(gamma * GAMMA - 1) > 0.05:
        rgb = rgb.point([round(255 * (level / 255) ** (1 / (gamma * GAMMA))) for level in range(256)] * 3)
    other = any(abs(here - there) > 0.01 for here, there in zip(primaries, PRIMARIES, strict=True))
    return rgb, "of other primaries than sRGB (cHRM), without a profile: colours are as stored" if other else None


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits, or float, from the range that it uses: of 8, 12 or 16 bits, 0 to 1, or what it holds."""
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("values that are no numbers")
    low, high = float(values.min()), float(values.max())
    if image.mode == "F" and low >= 0 and high <= 1:
        bottom, top = 0.0, 1.0
    elif low >= 0 and high <= RANGES[-1]:
        bottom, top = 0.0, float(next(full for full in RANGES if high <= full))
    else:
        bottom, top = low, max(high, low + 1)
    if getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO:
        values = top + bottom - values
    return Image.fromarray(np.round((values - bottom) * (255 / (top - bottom))).astype(np.uint8))


@lru_cache(maxsize=16)  # a camera writes the same profile into each photo
def _transform(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """None where the profile is sRGB itself, broken, or of a space that no photo has."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in (ImageCms.getProfileDescription(source) or "").lower():
            return None
        mode = MODE_OF_SPACE.get(source.profile.xcolor_space.strip())
        return mode and ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", INTENT, FLAGS)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


@lru_cache(maxsize=1)
def _from_lab() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB", INTENT, FLAGS)
