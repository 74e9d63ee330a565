"""From a stored JPEG to the square the backbone sees. Test and training views differ in augmentation alone.

The test view is the centre square of 0.875 of the short side, scaled to S pixels; of an image with a short side below
S / 0.875 it takes more, so that nothing is enlarged that need not be. Nothing is padded. Flips are safe for skin, a shift
of hue is not: it makes one condition look like another.
"""

import io
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch
from PIL import Image

from dermlab.data.shards import Shards

CENTRE = 0.875  # share of the short side that the test view shows; what EfficientNet was evaluated with
AREA = (0.6, 1.0)  # of a training crop, as a share of the short side squared: on average the scale of the test view
ASPECT = (4 / 5, 5 / 4)
Batch = tuple[torch.Tensor, torch.Tensor]  # positions, images
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


class Views(torch.utils.data.Dataset):
    """Views of stored images, by (position, shard, row, *seed): without a seed the test view, with one the training view that follows
    from it alone, so that neither processes nor an interruption change it. `position` is handed through."""

    def __init__(self, shards: Shards, size: int) -> None:
        self.shards, self.size = shards, size
        self._pool: ThreadPoolExecutor | None = None

    def __getitem__(self, index: tuple[int, ...]) -> tuple[int, np.ndarray]:
        position, shard, row, *seed = index
        image = decode(self.shards.jpeg(shard, row), self.size)
        return position, augmented_view(image, self.size, np.random.default_rng(seed)) if seed else centre_view(image, self.size)

    def __getitems__(self, indices: list[tuple[int, ...]]) -> list[tuple[int, np.ndarray]]:
        """A whole batch: Pillow decodes outside Python's lock, so threads share the work without copies."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(2 if torch.utils.data.get_worker_info() is None else 1)
        return list(self._pool.map(self.__getitem__, indices))

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_pool": None}


class ImageReader:
    """Reads batches of images out of shards. The processes that decode live as long as the reader: an epoch does not start them anew.

    `size`: S, the side of a view in pixels; `loaders`: as `loader_processes`.
    """

    def __init__(self, shards: Shards, size: int, loaders: int = 0) -> None:
        self.size = size
        self._asked: list[list[tuple[int, ...]]] = []
        processes = loader_processes(loaders)
        self._loader = torch.utils.data.DataLoader(
            Views(shards, size),
            batch_sampler=_Asked(self._asked),
            num_workers=processes,
            persistent_workers=processes > 0,
            prefetch_factor=4 if processes else None,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            multiprocessing_context="spawn" if processes else None,
            generator=torch.Generator(),  # the seed of the processes, which none of them uses, is not drawn from torch's own numbers
        )

    def batches(self, rows: pd.DataFrame, batch_size: int, seeds: Sequence[tuple[int, ...]] | None = None) -> Iterator[Batch]:
        """(positions in `rows`, images) in the order of `rows` (`shard`, `row`), which may name a row again. `seeds`: one a row, of the
        training views; None: test views."""
        where = rows[["shard", "row"]].to_numpy().tolist()
        index = [(i, shard, row, *(seeds[i] if seeds is not None else ())) for i, (shard, row) in enumerate(where)]
        self._asked[:] = [index[start : start + batch_size] for start in range(0, len(index), batch_size)]
        yield from self._loader


class _Asked:
    """A batch sampler that gives what the reader was last asked for."""

    def __init__(self, batches: list[list[tuple[int, ...]]]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[list[tuple[int, ...]]]:
        return iter(list(self.batches))

    def __len__(self) -> int:
        return len(self.batches)


def collate(samples: list[tuple[int, np.ndarray]]) -> Batch:
    """Positions int64 [B] and images uint8 [B, 3, S, S], which lie channels last in memory."""
    positions, pixels = zip(*samples, strict=True)
    return torch.tensor(positions), torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def loader_processes(asked: int) -> int:
    """`asked`, or where that is 0: on a GPU half the cores, shared by the processes of the machine; on a CPU none, as the model
    needs them."""
    if asked or not torch.cuda.is_available():
        return asked
    return max(1, (os.cpu_count() or 2) // 2 // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
