"""Views of many stored images, read and decoded ahead of the network."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch

from dermlab.data.shards import Shards
from dermlab.model.views import augmented_view, centre_view, decode

Batch = tuple[torch.Tensor, torch.Tensor]  # positions, images


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
