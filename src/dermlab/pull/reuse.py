"""Photos of the last run whose object has not changed since: neither fetched nor decoded again."""

from pathlib import Path

import pandas as pd

from dermlab.data.shards import shard_name
from dermlab.data.tables import IMAGES, QUARANTINE, WANTED, read_table
from dermlab.run import paths
from dermlab.run.last_run import LastRun

COLUMNS = ["width", "height", "sha256", "phash", "shard_file", "row", "reason"]


def earlier_photos(wanted: pd.DataFrame, last: LastRun | None) -> pd.DataFrame:
    """By image_id, columns COLUMNS: of a photo its facts, the file of its shard and its row there; of a broken one its `reason`.

    Rows are those of `wanted` whose key, size and etag are as they were; a row without an etag is not trusted.
    """
    nothing = pd.DataFrame(columns=["image_id", *COLUMNS]).set_index("image_id")
    tables = [last and last.file(path) for path in (paths.WANTED, paths.IMAGES, paths.QUARANTINE)]
    if not all(tables):
        return nothing
    before, images, broken = (read_table(path, schema) for path, schema in zip(tables, (WANTED, IMAGES, QUARANTINE), strict=True))
    same = wanted.dropna(subset="etag").merge(before, on=["image_id", "key", "size", "etag"])[["image_id"]]
    shards: dict[int, Path | None] = {n: last.file(paths.SHARDS / shard_name(n)) for n in images["shard"].unique().tolist()}
    images = images.assign(shard_file=images["shard"].map(lambda n: str(shards[n]) if shards[n] else None), reason=None)
    photos = images[images["shard_file"].notna()].astype(object)  # or the 64 bits of phash would pass through a float, which holds 53
    known = pd.concat([photos, broken.reindex(columns=["image_id", "reason"]).astype(object)])
    return same.merge(known, on="image_id").set_index("image_id")[COLUMNS] if len(same) else nothing
