"""Image shards: Arrow IPC files of 32-48 MB, memory-mapped, one JPEG a row.

Shards, because DVC and object stores pay by the object; below 48 MB, because s3fs reads larger objects in ranges. The
columns `shard` and `row` of the images table say where an image lies.
"""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from dermlab.run import paths
from dermlab.run.errors import ContractError

SHARD_BYTES = 48_000_000
SHARD_SCHEMA = pa.schema([("image_id", pa.string()), ("jpeg", pa.binary())])


def shard_name(shard: int) -> str:
    return f"shard-{shard:05d}.arrow"


def shard_of_rows(sizes: Sequence[int], limit: int = SHARD_BYTES) -> np.ndarray:
    """int32 [N]: the shard of each row, given each JPEG's bytes. As few shards as fit under `limit`, of even size."""
    total = np.cumsum(np.asarray(sizes, dtype=np.int64))
    if not len(total):
        return np.zeros(0, dtype=np.int32)
    shards = max(1, -(-int(total[-1]) // int(limit * 0.97)))  # ids and offsets need room too
    return ((total - 1) * shards // total[-1]).astype(np.int32)


def write_shard(path: Path, image_ids: Iterable[str], jpegs: Iterable[bytes]) -> None:
    """Not atomic by itself: written into a folder that is moved into place as a whole. Holds the shard once: `jpegs` may be an iterator."""
    column, ends = io.BytesIO(), [0]
    for jpeg in jpegs:
        column.write(jpeg)
        ends.append(column.tell())
    buffers = [None, pa.py_buffer(np.array(ends, dtype=np.int32)), pa.py_buffer(column.getbuffer())]
    photos = pa.Array.from_buffers(pa.binary(), len(ends) - 1, buffers)
    batch = pa.record_batch([pa.array(list(image_ids), pa.string()), photos], schema=SHARD_SCHEMA)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, SHARD_SCHEMA) as writer:
        writer.write_batch(batch)


def read_shard(path: Path) -> pa.Table:
    """Memory-mapped, columns of SHARD_SCHEMA. Raises ContractError where it is missing or truncated."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise ContractError(f"{path} is missing or truncated ({error}). Restore it: `dvc checkout {path.parent}`.") from error


class Shards:
    """Reads images by (shard, row). Opens each shard once, memory-mapped; picklable, so that loader processes can share it."""

    def __init__(self, folder: Path = paths.SHARDS) -> None:
        self.folder = Path(folder)
        self._columns: dict[int, pa.ChunkedArray] = {}

    def jpeg(self, shard: int, row: int) -> bytes:
        if shard not in self._columns:
            self._columns[shard] = read_shard(self.folder / shard_name(shard))["jpeg"]
        try:
            return self._columns[shard][row].as_py()
        except IndexError as error:
            raise ContractError(f"{self.folder / shard_name(shard)} has no row {row}. Run `dvc repro pull`.") from error

    def image(self, shard: int, row: int) -> Image.Image:
        """RGB, as stored: EXIF-free, short side `pull.image_size`."""
        return Image.open(io.BytesIO(self.jpeg(shard, row))).convert("RGB")

    def __getstate__(self) -> dict:
        return {"folder": self.folder, "_columns": {}}
