"""From a stored JPEG to the square the backbone sees. Test and training views differ in augmentation alone.

The test view is the centre square of 0.875 of the short side, scaled to S pixels; of an image with a short side below
S / 0.875 it takes more, so that nothing is enlarged that need not be. Nothing is padded. Flips are safe for skin, a shift
of hue is not: it makes one condition look like another.
"""

import io
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from PIL import Image

from dermlab.data.shards import Shards

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
    pixels = np.asarray(crop)
    if random.random() < 0.5:
        pixels = pixels[:, ::-1]
    if random.random() < 0.5:
        pixels = pixels[::-1]
    brightness, contrast = random.uniform(1 - LIGHT, 1 + LIGHT, size=2)
    mean = pixels.mean()
    table = np.clip((np.arange(256) - mean) * contrast + mean * brightness, 0, 255).astype(np.uint8)
    return table[pixels]


def _random_box(size: tuple[int, int], random: np.random.Generator) -> tuple[float, float, float, float]:
    width, height = size
    area = min(width, height) ** 2 * random.uniform(*AREA)
    aspect = math.exp(random.uniform(math.log(ASPECT[0]), math.log(ASPECT[1])))
    w, h = min(width, math.sqrt(area * aspect)), min(height, math.sqrt(area / aspect))
    left, top = random.uniform(0, width - w), random.uniform(0, height - h)
    return left, top, min(left + w, width), min(top + h, height)


@dataclass
class ImageDataset(torch.utils.data.Dataset):
    """Images of the table `rows` (`shard`, `row`). With `augment`, a (seed, epoch), in training views: each row's view
    follows from seed, epoch and position alone, so that neither workers nor an interruption change it."""

    rows: pd.DataFrame
    shards: Shards
    size: int
    augment: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self._where = self.rows[["shard", "row"]].to_numpy()
        self._pool: ThreadPoolExecutor | None = None

    def __len__(self) -> int:
        return len(self._where)

    def __getitem__(self, position: int) -> tuple[int, np.ndarray]:
        position = int(position)
        image = decode(self.shards.jpeg(*map(int, self._where[position])), self.size)
        if self.augment is None:
            return position, centre_view(image, self.size)
        return position, augmented_view(image, self.size, np.random.default_rng([*self.augment, position]))

    def __getitems__(self, positions: list[int]) -> list[tuple[int, np.ndarray]]:
        """A whole batch: Pillow decodes outside Python's lock, so threads share the work without copies."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(2 if torch.utils.data.get_worker_info() is None else 1)
        return list(self._pool.map(self.__getitem__, positions))

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_pool": None}


def collate(samples: list[tuple[int, np.ndarray]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions int64 [B] and images uint8 [B, 3, S, S], which lie channels last in memory."""
    positions, pixels = zip(*samples, strict=True)
    return torch.tensor(positions), torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def loader(dataset: ImageDataset, order: list[int], batch_size: int, workers: int = 0, drop_last: bool = False):
    """A DataLoader of (positions, images) in the order given. `workers`: as `loader_processes`."""
    workers = loader_processes(workers)
    return torch.utils.data.DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=order,
        num_workers=workers,
        collate_fn=collate,
        drop_last=drop_last,
        pin_memory=torch.cuda.is_available(),
        multiprocessing_context="spawn" if workers else None,
    )


def loader_processes(asked: int) -> int:
    """`asked`, or where that is 0: on a GPU half the cores, shared by the processes of the machine; on a CPU none, as the model
    needs them."""
    if asked or not torch.cuda.is_available():
        return asked
    return max(1, (os.cpu_count() or 2) // 2 // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
