"""Smooth random fields, cut from sheets made once a process: fresh noise for every photo would cost more than the photo."""

from functools import cache

import numpy as np
from PIL import Image

_SIDE = 768  # of a sheet, pixels; at least the long side of a photo


@cache
def _sheet(cell: int) -> np.ndarray:
    """float32 [SIDE, SIDE], mean 0, standard deviation 1. `cell`: pixels between independent values."""
    rng = np.random.default_rng(cell)
    cells = _SIDE // cell + 4
    field = rng.standard_normal((cells, cells), dtype=np.float32)
    field = np.asarray(Image.fromarray(field).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)) if cell > 1 else field[:_SIDE, :_SIDE]
    return ((field - field.mean()) / field.std()).astype(np.float32)


def noise(rng: np.random.Generator, shape: tuple[int, int], cell: int) -> np.ndarray:
    """float32 [H, W]: a random window of the sheet, at random mirrored."""
    height, width = shape
    top, left = rng.integers(0, _SIDE - height + 1), rng.integers(0, _SIDE - width + 1)
    window = _sheet(cell)[top : top + height, left : left + width]
    if rng.random() < 0.5:
        window = window[::-1]
    return window[:, ::-1] if rng.random() < 0.5 else window


def fractal(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, ...]) -> np.ndarray:
    """Sum of fields, each half as strong as the one before; standard deviation about 1."""
    total, weight, power = np.zeros(shape, np.float32), 1.0, 0.0
    for cell in cells:
        total += np.float32(weight) * noise(rng, shape, cell)
        power += weight**2
        weight /= 2
    return total / np.float32(power**0.5)
