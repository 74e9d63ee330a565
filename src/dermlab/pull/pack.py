"""Packing: photos in, shards and the table of images out.

The unit of work is one part, a pure function of its rows, mapped over any `concurrent.futures.Executor`. Parts are kept
until the run has ended, so a killed pull goes on where it stopped; then they are joined into shards of even size.
"""

import hashlib
import shutil
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from dermlab.data.shards import read_shard, shard_name, shard_of_rows, write_shard
from dermlab.pull.develop import BrokenImageError, develop
from dermlab.pull.params import PullParams
from dermlab.pull.reuse import COLUMNS as EARLIER
from dermlab.run import paths
from dermlab.run.code import code_digest
from dermlab.run.errors import SourceError
from dermlab.run.files import alone_in, atomic_path
from dermlab.run.objects.keys import ObjectError, Objects
from dermlab.run.progress import progress

PART_ROWS = 64
PART_SCHEMA = pa.schema(
    [
        ("image_id", pa.string()), ("jpeg", pa.binary()), ("width", pa.int32()), ("height", pa.int32()),
        ("sha256", pa.string()), ("phash", pa.uint64()), ("reason", pa.string()), ("note", pa.string()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Pulled:
    images: pd.DataFrame  # one row an image, as `tables.IMAGES`
    quarantine: pd.DataFrame  # image_id and reason of those that could not be used
    notes: dict[str, int]  # how many of the photos that were read now are not all that their files hold, by what is left out


def pack(
    wanted: pd.DataFrame,
    objects: Objects,
    params: PullParams,
    executor: Executor,
    earlier: pd.DataFrame | None = None,
    shards: Path = paths.SHARDS,
    checkpoints: Path = paths.CHECKPOINTS,
) -> Pulled:
    """Pulls every wanted image and writes the folder `shards`; what `earlier` (of `reuse.earlier_photos`) has is copied from there.

    Raises SourceError where the source has moved since it was pinned or too much of it is broken, BudgetError where the disk is
    full; `shards` is then as it was.
    """
    checkpoints.mkdir(parents=True, exist_ok=True)
    rows = wanted.sort_values("image_id", ignore_index=True)
    rows = rows.join(earlier, on="image_id") if earlier is not None else rows.reindex(columns=[*rows.columns, *EARLIER])
    with alone_in(checkpoints):  # another pull may be at work there, of an experiment that runs beside this one
        return _pack(rows, objects, params, executor, shards, checkpoints / f"pull-{_settings_digest(params)}")


def _pack(rows: pd.DataFrame, objects: Objects, params: PullParams, executor: Executor, shards: Path, workspace: Path) -> Pulled:
    workspace.mkdir(parents=True, exist_ok=True)
    chunks = [rows.iloc[start : start + PART_ROWS] for start in range(0, len(rows), PART_ROWS)]
    parts = [workspace.absolute() / f"{_rows_digest(chunk)}.arrow" for chunk in chunks]  # a worker elsewhere has a folder of its own
    todo = [(path, chunk) for path, chunk in zip(parts, chunks, strict=True) if not path.exists()]
    with progress("pull", len(rows)) as meter:
        meter.advance(len(rows) - sum(len(chunk) for _, chunk in todo))
        work = partial(_pack_part, short_side=params.image_size, max_pixels=params.max_pixels)
        futures = {executor.submit(work, objects.some(_fresh(chunk)["key"].tolist()), chunk, path): len(chunk) for path, chunk in todo}
        try:
            for future in as_completed(futures):
                future.result()
                meter.advance(futures[future])
        except BaseException:
            for future in futures:
                future.cancel()
            executor.shutdown(wait=False)
            raise
    facts = _facts(parts)
    quarantine = _quarantine(facts, params.max_quarantine)
    good = facts[facts["reason"].isna()].drop(columns=["reason", "note"])
    good["shard"] = shard_of_rows(good["size"])
    good["row"] = good.groupby("shard").cumcount().astype(np.int32)
    _join(parts, good.set_index("image_id")["shard"], shards)
    shutil.rmtree(workspace)
    return Pulled(good.drop(columns="size"), quarantine, facts["note"].value_counts().to_dict())


def _settings_digest(params: PullParams) -> str:
    """Of what makes a photo of an object: settings, the code that this room reaches, the libraries that decode."""
    code = code_digest(*Path(__file__).parent.glob("*.py"))
    return f"{code}-{params.image_size}-{params.max_pixels}"


def _rows_digest(rows: pd.DataFrame) -> str:
    named = "\n".join(f"{row.image_id} {row.key} {row.size} {row.etag}" for row in rows.itertuples(index=False))
    return hashlib.sha256(named.encode()).hexdigest()[:16]


def _fresh(rows: pd.DataFrame) -> pd.DataFrame:
    """Those that no earlier run has left."""
    return rows[rows["shard_file"].isna() & rows["reason"].isna()]


def _pack_part(objects: Objects, rows: pd.DataFrame, path: Path, short_side: int, max_pixels: int) -> None:
    fresh = _fresh(rows)
    read = zip(fresh.itertuples(index=False), objects.read_many(fresh["key"].tolist()), strict=True)
    try:
        packed = {row.image_id: _photo(row, data, etag, short_side, max_pixels) for row, (data, etag) in read}
    except ObjectError as error:
        image_id = fresh.loc[fresh["key"] == error.key, "image_id"].iat[0]
        raise SourceError(
            f"The object of image {image_id} {error.why}. `dermlab where {image_id}` names it, and the place where it was looked for: that "
            "of the source locked last on this machine, or DERMLAB_SOURCE."
        ) from error
    opened = {name: read_shard(Path(name)) for name in rows["shard_file"].dropna().unique()}
    for row in rows.drop(fresh.index).itertuples(index=False):
        if pd.isna(row.shard_file):
            packed[row.image_id] = (None, None, None, None, None, row.reason, None)
        else:
            jpeg = opened[row.shard_file]["jpeg"][int(row.row)].as_py()
            packed[row.image_id] = (jpeg, int(row.width), int(row.height), row.sha256, int(row.phash), None, None)
    ordered = [(image_id, *packed[image_id]) for image_id in rows["image_id"]]
    columns = [pa.array(column, kind) for column, kind in zip(zip(*ordered, strict=True), PART_SCHEMA.types, strict=True)]
    with atomic_path(path) as unfinished, pa.OSFile(str(unfinished), "wb") as file, pa.ipc.new_file(file, PART_SCHEMA) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=PART_SCHEMA))


def _photo(row, data: bytes, etag: str, short_side: int, max_pixels: int) -> tuple:
    """The columns of PART_SCHEMA after the id. Raises SourceError where the object is not the one that was pinned."""
    moved = not pd.isna(row.size) and len(data) != row.size
    if moved or (not pd.isna(row.etag) and etag != row.etag):
        raise SourceError(
            f"Image {row.image_id} is not the object that was pinned: its content has changed. `dermlab where {row.image_id}` names it; "
            "lock the source again (`dermlab lock`)."
        )
    try:
        photo = develop(data, short_side, max_pixels)
    except BrokenImageError as error:
        return None, None, None, None, None, str(error), None
    return photo.jpeg, photo.width, photo.height, photo.sha256, photo.phash, None, photo.note


def _read_part(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _facts(parts: list[Path]) -> pd.DataFrame:
    """All columns but the pixels, and `size`, the JPEG's bytes."""
    tables = []
    for path in parts:
        part = _read_part(path)
        sizes = pa.compute.binary_length(part["jpeg"])
        tables.append(part.drop_columns(["jpeg"]).append_column("size", sizes))
    return pa.concat_tables(tables).to_pandas(types_mapper={pa.uint64(): pd.UInt64Dtype()}.get)


def _quarantine(facts: pd.DataFrame, limit: float) -> pd.DataFrame:
    broken = facts.loc[facts["reason"].notna(), ["image_id", "reason"]]
    if len(broken) > limit * len(facts):
        examples = "; ".join(f"{row.image_id}: {row.reason}" for row in broken.head(3).itertuples())
        raise SourceError(
            f"{len(broken)} of {len(facts)} images are broken ({len(broken) / len(facts):.1%}), more than pull.max_quarantine "
            f"= {limit:.1%}. First: {examples}; `dermlab where ID` names the file. Mend the source, or raise the limit if that is "
            "what it holds."
        )
    return broken


def _join(parts: list[Path], shard_of: pd.Series, shards: Path) -> None:
    """Part after part into shard after shard, in the order of rows, holding one of each in memory. `shard_of`: by the id of each photo, in
    that order, too."""
    jpegs = (jpeg for path in parts for jpeg in _read_part(path)["jpeg"].to_pylist() if jpeg is not None)
    with atomic_path(shards) as unfinished:
        unfinished.mkdir()
        for shard in shard_of.unique().tolist() or [0]:
            image_ids = shard_of.index[shard_of == shard]
            write_shard(unfinished / shard_name(shard), image_ids, islice(jpegs, len(image_ids)))
