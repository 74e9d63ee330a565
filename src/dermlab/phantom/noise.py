"""Smooth random fields, cut from sheets made once a process: fresh noise for every photo would cost more than the photo."""

from functools import cache

import numpy as np
from PIL import Image

_SIDE = 768  # of a sheet, pixels; at least the long side of a photo


@cache
def _sheet(cells: tuple[int, ...]) -> np.ndarray:
    """float32 [SIDE, SIDE], mean 0, standard deviation 1: a field for each of `cells`, the pixels between its independent values, each
    half as strong as the one before."""
    total = sum(_field(cell) / 2**place for place, cell in enumerate(cells))
    return ((total - total.mean()) / total.std()).astype(np.float32)


def _field(cell: int) -> np.ndarray:
    rng = np.random.default_rng(cell)
    cells = _SIDE // cell + 4
    field = rng.standard_normal((cells, cells), dtype=np.float32)
    field = np.asarray(Image.fromarray(field).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)) if cell > 1 else field[:_SIDE, :_SIDE]
    return (field - field.mean()) / field.std()


def noise(rng: np.random.Generator, shape: tuple[int, int], *cells: int) -> np.ndarray:
    """float32 [H, W], not to be written to: a random window of the sheet of `cells`, at random mirrored."""
    height, width = shape
    top, left = int(rng.integers(0, _SIDE - height + 1)), int(rng.integers(0, _SIDE - width + 1))
    window = _sheet(cells)[top : top + height, left : left + width]
    mirror = int(rng.integers(4))
    return window[:: 1 - 2 * (mirror & 1), :: 1 - (mirror & 2)]
