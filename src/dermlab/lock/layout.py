"""A source without a table of labels: its folders are the labels, `CLASS/1.jpg`, or splits and labels, `train/CLASS/1.jpg`."""

from collections.abc import Sequence
from pathlib import PurePosixPath

import pandas as pd

from dermlab.run.errors import SourceError

SPLITS = {
    "train": "train", "training": "train", "train_set": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "test_set": "test", "holdout": "test",
}  # fmt: skip


def rows_of_folders(photos: Sequence[str], where: str) -> pd.DataFrame:
    """Columns image, label and, where the first folders are splits, split. Raises SourceError where the folders are no classes."""
    paths = [PurePosixPath(key) for key in photos]
    if not paths:
        raise SourceError(f"{where} holds no table of labels (.csv, .tsv, .parquet) and no photos. Give the folder that has them.")
    parts = [path.parts for path in paths]
    depth = 0  # folders that enclose everything: an archive often has one
    while len({p[depth] for p in parts if len(p) > depth}) == 1 and all(len(p) > depth + 2 for p in parts):
        depth += 1
    parts = [p[depth:] for p in parts]
    first = {p[0].casefold() for p in parts if len(p) > 1}
    split = bool(first) and first <= set(SPLITS) and all(len(p) > 2 for p in parts)
    at = 1 if split else 0
    if short := [path for path, p in zip(paths, parts, strict=True) if len(p) < at + 2]:
        raise SourceError(
            f"{where} holds no table of labels (.csv, .tsv, .parquet), and its folders are not classes: {short[0]} lies in none. "
            "Add a table with a row an image, or put each photo into a folder named after its class."
        )
    frame = pd.DataFrame({"image": list(photos), "label": [p[at] for p in parts]})
    if split:
        frame["split"] = [SPLITS[p[0].casefold()] for p in parts]
    return frame
