"""Photos that look like copies, side by side, for a person to say which are not: one page, and what it exports into the file of pairs."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from dermlab.data.current import read_current_rows
from dermlab.data.embeddings import read_embeddings
from dermlab.data.lines import check_new, with_lines
from dermlab.data.not_copies import HEADER, read_not_copies
from dermlab.data.rows import read_rows
from dermlab.data.shards import Shards
from dermlab.flag.duplicates import find_copies
from dermlab.flag.neighbours import similarity_of_pairs
from dermlab.flag.params import Params
from dermlab.review.html import in_page, render
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.files import alone_in, write_text, write_together
from dermlab.run.params import read_params

LEAK, VAL_OR_TEST, CONFLICT, COPY = range(4)  # why it matters, the worst first


@dataclass(frozen=True)
class Photo:
    image_id: str
    split: str
    label: str  # empty for a photo of val or test, whose labels are frozen and shown to nobody who decides
    shard: int
    row: int


@dataclass(frozen=True)
class Pair:
    first: Photo
    second: Photo
    # LEAK (a training photo and one of val or test), VAL_OR_TEST (one of val and one of test, or two of either), CONFLICT (two training
    # photos of two labels), COPY
    why: int
    similarity: float  # cosine of the features


def read_pairs() -> list[Pair]:
    """Near pairs of the rows in use that nobody has told apart yet, the most harmful kind first and in it the least alike. The same bytes
    under two names are no question. Raises ContractError where the photos have no embeddings yet."""
    params = read_params(Params)
    rows = read_current_rows()
    features = read_embeddings().of(rows["image_id"])
    _, found = find_copies(rows, features, read_not_copies(), params.flag.phash_bits)
    photos = [
        Photo(row.image_id, row.split, row.label if row.split == "train" else "", int(row.shard), int(row.row)) for row in rows.itertuples()
    ]
    similarity = similarity_of_pairs(features, found[:, 0], found[:, 1])
    pairs = [Pair(photos[a], photos[b], _why(photos[a], photos[b]), float(cos)) for (a, b), cos in zip(found, similarity, strict=True)]
    return sorted(pairs, key=lambda pair: (pair.why, pair.similarity, pair.first.image_id, pair.second.image_id))


def _why(first: Photo, second: Photo) -> int:
    training = (first.split == "train") + (second.split == "train")
    if training == 1:
        return LEAK
    if training == 0:
        return VAL_OR_TEST
    return COPY if first.label == second.label else CONFLICT


def write_pairs(
    path: Path, pairs: list[Pair], shards: Shards, reviewer: str = "", side: int = 480, originals: Mapping[str, bytes] | None = None
) -> None:
    """Writes the page atomically. side: pixels of the longer side of a photo; `originals`: as in `page.write_page`."""
    photos = {photo.image_id: photo for pair in pairs for photo in (pair.first, pair.second)}
    larger = originals or {}
    asked = [[pair.first.image_id, pair.second.image_id] for pair in pairs]
    content = {
        "digest": hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16],
        "header": HEADER,
        "reviewer": reviewer,
        "pairs": [asdict(pair) for pair in pairs],
        "photos": {name: in_page(larger.get(name) or shards.jpeg(photo.shard, photo.row), side) for name, photo in photos.items()},
    }
    write_text(path, render("pairs.html.j2", content, ("shared.js", "pairs.js"), ("review.css", "pairs.css")))


@alone_in(paths.NOT_COPIES.parent)
def merge_pairs(exported: Path, pairs: Path = paths.NOT_COPIES) -> tuple[int, int]:
    """(lines added, lines that were there). Raises ContractError, with nothing written, where a line is wrong or names an image that is
    not in use."""
    if not Path(exported).exists():
        raise ContractError(f"{exported} does not exist. Export the pairs on the page (E) and name that file.")
    new, old = read_not_copies(exported), read_not_copies(pairs)
    known = set(read_rows()["image_id"])
    for line, row in new.iterrows():
        if unknown := [name for name in (row["image_id"], row["other_id"]) if name not in known]:
            raise ContractError(f"{exported}, line {line}: image {unknown[0]!r} is not in the catalog. Nothing was merged.")
    there = pd.MultiIndex.from_frame(new[["image_id", "other_id"]]).isin(pd.MultiIndex.from_frame(old[["image_id", "other_id"]]))
    check_new(exported, new[~there])
    write_together({Path(pairs): with_lines(Path(pairs), new[~there], HEADER)})
    return int((~there).sum()), int(there.sum())
