"""From a stored JPEG to the square the backbone sees. Test and training views differ in augmentation alone.

The test view is the centre square of 0.875 of the short side, scaled to S pixels; of an image with a short side below
S / 0.875 it takes more, so that nothing is enlarged that need not be. Nothing is padded. Flips are safe for skin, a shift
of hue is not: it makes one condition look like another.
"""

import io
import math

import numpy as np
from PIL import Image

CENTRE = 0.875  # share of the short side that the test view shows; what EfficientNet was evaluated with
AREA = (0.6, 1.0)  # of a training crop, as a share of the short side squared: on average the scale of the test view
ASPECT = (4 / 5, 5 / 4)
LIGHT = 0.15  # brightness and contrast of a training view change by up to this share


def decode(jpeg: bytes, size: int) -> Image.Image:
    """RGB. A much larger image is decoded at a half, quarter or eighth, the same for both views, never below 2 `size`."""
    image = Image.open(io.BytesIO(jpeg))
    image.draft("RGB", (2 * size, 2 * size))
    return image.convert("RGB")


def centre_view(image: Image.Image, size: int) -> np.ndarray:
    """uint8 [S, S, 3]."""
    width, height = image.size
    short = min(width, height)
    side = min(short, max(size, short * CENTRE))
    left, top = (width - side) / 2, (height - side) / 2
    square = image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    return np.asarray(square)


def augmented_view(image: Image.Image, size: int, random: np.random.Generator) -> np.ndarray:
    """uint8 [S, S, 3]: a random crop, perhaps flipped either way, a little lighter or darker, softer or harder."""
    crop = image.resize((size, size), Image.Resampling.BICUBIC, box=_random_box(image.size, random))
    if random.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if random.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    brightness, contrast = random.uniform(1 - LIGHT, 1 + LIGHT, size=2)
    mean = np.asarray(crop).mean()
    table = np.clip((np.arange(256) - mean) * contrast + mean * brightness, 0, 255).astype(np.uint8)
    return np.asarray(crop.point(table.tolist() * 3))


def _random_box(size: tuple[int, int], random: np.random.Generator) -> tuple[float, float, float, float]:
    width, height = size
    area = min(width, height) ** 2 * random.uniform(*AREA)
    aspect = math.exp(random.uniform(math.log(ASPECT[0]), math.log(ASPECT[1])))
    w, h = min(width, math.sqrt(area * aspect)), min(height, math.sqrt(area / aspect))
    left, top = random.uniform(0, width - w), random.uniform(0, height - h)
    return left, top, min(left + w, width), min(top + h, height)
