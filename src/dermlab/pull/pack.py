"""Packing: photos in, shards and the catalog out.

The unit of work is one part, a pure function of its rows, mapped over any `concurrent.futures.Executor`. Parts are kept
until the run has ended, so a killed pull goes on where it stopped; then they are joined into shards of even size.
"""

import shutil
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from dermlab.data import paths
from dermlab.data.classes import Classes
from dermlab.data.errors import ContractError, SourceError
from dermlab.data.files import atomic_path
from dermlab.data.params import PullParams
from dermlab.data.progress import progress
from dermlab.data.questionnaire import PREFIX
from dermlab.data.shards import shard_name, shard_of_rows, write_shard
from dermlab.data.tables import NOTE_PREFIX
from dermlab.pull.images import BrokenImageError, develop
from dermlab.pull.lock import Pin
from dermlab.pull.sources import Source
from dermlab.pull.splits import assign_splits

PART_ROWS = 64
PART_SCHEMA = pa.schema(
    [
        ("image_id", pa.string()), ("jpeg", pa.binary()), ("width", pa.int32()), ("height", pa.int32()),
        ("sha256", pa.string()), ("phash", pa.uint64()), ("reason", pa.string()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Pulled:
    """`catalog`: one row an image; `quarantine`: image_id, key and reason of those that could not be used."""

    catalog: pd.DataFrame
    quarantine: pd.DataFrame


def pack(
    pin: Pin,
    source: Source,
    params: PullParams,
    executor: Executor,
    shards: Path = paths.SHARDS,
    checkpoints: Path = paths.CHECKPOINTS,
) -> Pulled:
    """Pulls every pinned image and writes the folder `shards`. Raises SourceError where the source has moved since it was
    pinned or too much of it is broken, BudgetError where the disk is full; `shards` is then as it was."""
    workspace = checkpoints / f"pull-{pin.digest[:16]}-{params.image_size}-{params.max_pixels}"
    workspace.mkdir(parents=True, exist_ok=True)
    manifest = pin.manifest
    starts = range(0, len(manifest), PART_ROWS)
    parts = [workspace / f"part-{start:08d}.arrow" for start in starts]
    todo = [(path, manifest.iloc[start : start + PART_ROWS]) for path, start in zip(parts, starts, strict=True) if not path.exists()]
    with progress("pull", len(manifest)) as meter:
        meter.advance(len(manifest) - sum(len(rows) for _, rows in todo))
        columns = ["image_id", "key", "size", "etag"]
        work = partial(_pack_part, source, params.image_size, params.max_pixels)
        futures = {executor.submit(work, rows[columns], path): len(rows) for path, rows in todo}
        try:
            for future in as_completed(futures):
                future.result()
                meter.advance(futures[future])
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
    facts = _facts(parts)
    quarantine = _quarantine(facts, manifest, params.max_quarantine)
    good = facts[facts["reason"].isna()].drop(columns="reason")
    good["shard"] = shard_of_rows(good["size"])
    good["row"] = good.groupby("shard").cumcount().astype(np.int32)
    catalog = _catalog(good.drop(columns="size"), manifest, pin.classes, params)
    _join(parts, good.set_index("image_id")["shard"], shards)
    shutil.rmtree(workspace)
    return Pulled(catalog, quarantine)


def _pack_part(source: Source, short_side: int, max_pixels: int, rows: pd.DataFrame, path: Path) -> None:
    packed = []
    for row in rows.itertuples(index=False):
        data = source.read(row.key)
        moved = not pd.isna(row.size) and len(data) != row.size
        if moved or (row.etag is not None and source.etag(row.key, data) != row.etag):
            raise SourceError(
                f"{row.key} is not the object that was pinned: its content has changed. Lock the source again: `dermlab lock`."
            )
        try:
            photo = develop(data, short_side, max_pixels)
            packed.append((row.image_id, photo.jpeg, photo.width, photo.height, photo.sha256, photo.phash, None))
        except BrokenImageError as error:
            packed.append((row.image_id, None, None, None, None, None, str(error)))
    columns = [pa.array(column, kind) for column, kind in zip(zip(*packed, strict=True), PART_SCHEMA.types, strict=True)]
    with atomic_path(path) as unfinished, pa.OSFile(str(unfinished), "wb") as file, pa.ipc.new_file(file, PART_SCHEMA) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=PART_SCHEMA))


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


def _quarantine(facts: pd.DataFrame, manifest: pd.DataFrame, limit: float) -> pd.DataFrame:
    broken = facts.loc[facts["reason"].notna(), ["image_id", "reason"]]
    broken = broken.merge(manifest[["image_id", "key"]], on="image_id")[["image_id", "key", "reason"]]
    if len(broken) > limit * len(facts):
        examples = "; ".join(f"{row.key}: {row.reason}" for row in broken.head(3).itertuples())
        raise SourceError(
            f"{len(broken)} of {len(facts)} images are broken ({len(broken) / len(facts):.1%}), more than pull.max_quarantine "
            f"= {limit:.1%}. First: {examples}. Mend the source, or raise the limit if that is what it holds."
        )
    return broken


def _catalog(good: pd.DataFrame, manifest: pd.DataFrame, classes: Classes, params: PullParams) -> pd.DataFrame:
    carried = [c for c in manifest.columns if c.startswith((PREFIX, NOTE_PREFIX))]
    catalog = manifest[["image_id", "patient_id", "case_id", "diagnosis", "split", *carried]].merge(good, on="image_id")
    catalog["label"] = catalog["diagnosis"].map(classes.label_of)
    if catalog["split"].isna().all():
        catalog["split"] = assign_splits(catalog["patient_id"], catalog["label"], params.test_fraction, params.val_fraction, params.seed)
    trained = set(catalog.loc[catalog["split"] == "train", "label"])
    if empty := [name for name in classes.targets if name not in trained]:
        raise ContractError(
            f"No training image is labelled {', '.join(empty)}. Nothing could be learnt of an empty class: "
            "add images or patients, or raise pull.min_class_count so that it joins `other`."
        )
    return catalog


def _join(parts: list[Path], shard_of: pd.Series, shards: Path) -> None:
    """Part after part into shard after shard, in the order of rows, holding one shard in memory."""
    with atomic_path(shards) as unfinished:
        unfinished.mkdir()
        current, ids, jpegs = 0, [], []
        for path in parts:
            part = _read_part(path)
            for image_id, jpeg in zip(part["image_id"].to_pylist(), part["jpeg"].to_pylist(), strict=True):
                if jpeg is None:
                    continue
                if shard_of[image_id] != current:
                    write_shard(unfinished / shard_name(current), ids, jpegs)
                    current, ids, jpegs = int(shard_of[image_id]), [], []
                ids.append(image_id)
                jpegs.append(jpeg)
        write_shard(unfinished / shard_name(current), ids, jpegs)
