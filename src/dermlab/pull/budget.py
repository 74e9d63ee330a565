"""Whether what `pull` will write fits the disk, before the first byte is fetched."""

import os
import shutil
from pathlib import Path

import pandas as pd

from dermlab.run import paths
from dermlab.run.errors import BudgetError

# Of a stored JPEG, measured: 4,786 photos of the phantom at 160 x 213 pixels take 50.9 MB. Photos of smooth skin take less.
BYTES_PER_PIXEL = 0.31
ASPECT = 4 / 3
CACHE = Path(".dvc/cache")


def stored_bytes(image_size: int) -> float:
    """Of one photo whose shorter side is `image_size` pixels."""
    return BYTES_PER_PIXEL * ASPECT * image_size**2


def check_disk(fresh: pd.DataFrame, images: int, image_size: int, budget_gb: float) -> None:
    """`fresh`: the rows of `wanted` that no earlier run has left; `images`: all. Originals are not kept: a photo is stored once in a part,
    and once in its shard while parts are joined; DVC's cache links to the shards where it lies on the same file system, and copies
    otherwise. Raises BudgetError with the arithmetic, and what would fit."""
    each = stored_bytes(image_size)
    smaller = fresh["size"].dropna().astype(float)
    part = float(smaller.clip(upper=each).sum()) + each * (len(fresh) - len(smaller))
    copies = 1 if _same_file_system(CACHE, paths.SHARDS) else 2
    need = (part if len(fresh) == images else each * images) + each * images * copies
    free = shutil.disk_usage(_existing(paths.SHARDS)).free
    limit, said = (budget_gb * 1e9, "machine.disk_budget_gb") if budget_gb else (free, "free here")
    if need <= min(limit, free):
        return
    least = image_size * (min(limit, free) / need) ** 0.5
    originals = f" (the originals, {smaller.sum() / 1e9:,.1f} GB, are never on the disk)" if len(smaller) else ""
    raise BudgetError(
        f"pull would need {size(need)}: {images:,} photos of {image_size} px at about {each / 1e3:,.0f} KB, {1 + copies} times "
        f"over while shards are made{originals}. There are {size(min(limit, free))} ({said}). Nothing was fetched. It would fit "
        f"with pull.image_size={int(least)}, with {int(images * min(limit, free) / need):,} images, or with "
        f"{size(need - min(limit, free))} more."
    )


def _same_file_system(one: Path, other: Path) -> bool:
    return os.stat(_existing(one)).st_dev == os.stat(_existing(other)).st_dev


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def size(count: float) -> str:
    """Bytes for a person: in MB below 100 MB."""
    return f"{count / 1e9:,.2f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"
