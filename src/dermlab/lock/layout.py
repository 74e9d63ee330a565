"""A source without a table of labels: its folders are the labels, `CLASS/1.jpg`, or splits and labels, `train/CLASS/1.jpg`."""

from collections.abc import Sequence
from pathlib import PurePosixPath

import pandas as pd

from dermlab.lock.label_table import LabelTable
from dermlab.lock.spelling import folded, plain
from dermlab.run.errors import SourceError

SPLITS = {
    "train": "train", "training": "train", "train_set": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "test_set": "test", "holdout": "test",
}  # fmt: skip


def rows_of_folders(photos: Sequence[str], where: str) -> LabelTable:
    """Columns image, label and, where the first folders are splits, split; the index, `photo`, is the path. Raises SourceError where the
    folders are no classes."""
    paths = [PurePosixPath(key) for key in photos]
    if not paths:
        raise SourceError(f"{where} holds no table of labels (.csv, .tsv, .parquet) and no photos. Give the folder that has them.")
    parts = _within([path.parts for path in paths], folders=1)
    first = {p[0] for p in parts if len(p) > 1}
    splits = {name for name in first if plain(name) in SPLITS}
    if len(splits) > 1 and (others := sorted(first - splits)):
        raise SourceError(
            f"{where}: the folders {', '.join(sorted(splits))} are splits, and {', '.join(others[:9])} beside them are none. Lock the "
            "splits alone, in a folder of their own, or write a table with a row an image."
        )
    split = bool(first) and first == splits and (len(splits) > 1 or all(len(p) > 2 for p in parts))
    at = 1 if split else 0
    short = [path for path, p in zip(paths, parts, strict=True) if len(p) < at + 2]
    if not short and len({p[at] for p in parts}) == 1:  # they may lie beside the folders that are classes
        beside = [path for path, p in zip(paths, parts, strict=True) if len(p) == at + 2]
        short = beside if len(beside) < len(paths) else []
    if short:
        raise SourceError(
            f"{where} holds no table of labels (.csv, .tsv, .parquet), and its folders are not classes: {short[0]} lies in none. "
            "Add a table with a row an image, or put each photo into a folder named after its class."
        )
    frame = pd.DataFrame({"image": list(photos), "label": [p[at] for p in parts]}, pd.Index(photos, name="photo", dtype=object))
    if split:
        frame["split"] = [SPLITS[plain(p[0])] for p in parts]
    enclosing = PurePosixPath(*paths[0].parts[: len(paths[0].parts) - len(parts[0])])
    inside = str(enclosing) if enclosing.parts else PurePosixPath(where).name
    named = [f"{inside}/{name}/" for name in sorted(splits)] if split else [f"{inside}/"]
    said = [f"labels: the names of the folders in {', '.join(named)}"]
    if all(folded(name).isdecimal() for name in set(frame["label"])):
        said.append("all of these names are numbers: are they classes, or patients, visits or years?")
    return LabelTable(frame, said=said)


def splits_of_folders(keys: pd.Series) -> pd.Series | None:
    """The first folder of each photo, where a table tells labels and no splits, and two of the folders or more are named after splits;
    else None."""
    names = pd.Series([parts[0] for parts in _within([PurePosixPath(key).parts for key in keys], folders=0)], keys.index, dtype=object)
    return names if len({SPLITS[plain(name)] for name in names if plain(name) in SPLITS}) > 1 else None


def _within(paths: list[tuple[str, ...]], folders: int) -> list[tuple[str, ...]]:
    """The paths below the folders that enclose all of them, as an archive often has one; in them `folders` are left, and splits."""
    depth = 0
    while (
        len(names := {path[depth] for path in paths}) == 1
        and plain(*names) not in SPLITS
        and all(len(p) > depth + 1 + folders for p in paths)
    ):
        depth += 1
    return [path[depth:] for path in paths]
