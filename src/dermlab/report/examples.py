"""Flagged images to look at: what was given, what was suggested, and a thumbnail without metadata."""

import base64
from dataclasses import dataclass

import pandas as pd
from PIL import Image

from dermlab.data.shards import Shards
from dermlab.data.thumbnails import bare_jpeg
from dermlab.report.truth import GARBAGE

THUMBNAIL = 240  # pixels of the longer side: sharp at the 150-200 px a page shows


@dataclass(frozen=True)
class Example:
    """`quality`: 0..1, low for a doubtful label. `truth`: what the row really is, empty where unknown. `image`: a data URI."""

    given: str
    suggested: str
    quality: float
    truth: str
    image: str


def examples(flags: pd.DataFrame, catalog: pd.DataFrame, truth: pd.DataFrame, shards: Shards, count: int) -> list[Example]:
    """The most doubtful labels, class by class in turn, so that the commonest class does not fill the page."""
    flagged = flags[flags["label_issue"]].sort_values(["quality", "image_id"])
    turn = flagged.groupby("given").cumcount()
    chosen = flagged.assign(turn=turn).sort_values(["turn", "quality", "image_id"]).head(count)
    places = catalog.set_index("image_id")
    known = truth.set_index("image_id")
    out = []
    for row in chosen.itertuples():
        image = shards.image(int(places.at[row.image_id, "shard"]), int(places.at[row.image_id, "row"]))
        said = _truth(known.loc[row.image_id], row.given) if row.image_id in known.index else ""
        out.append(Example(row.given, row.suggested, float(row.quality), said, thumbnail(image)))
    return out


def thumbnail(image: Image.Image, side: int = THUMBNAIL) -> str:
    """A JPEG without metadata as a data URI; `image` is resized in place."""
    return "data:image/jpeg;base64," + base64.b64encode(bare_jpeg(image, side, quality=82)).decode()


def _truth(row: pd.Series, given: str) -> str:
    """`label wrong: psoriasis`, `label right, hard case`, `no skin` ..."""
    if row["kind"] in GARBAGE:
        return row["kind"].replace("_", " ")
    if row["true_label"] != given:
        return f"label wrong: {row['true_label']}"
    return "label right, hard case" if row["kind"] == "hard" else "label right"
