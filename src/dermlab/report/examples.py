"""Images to look at, as thumbnails without metadata: what was flagged, and what the model got wrong and was sure of."""

import base64
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from dermlab.data.shards import Shards
from dermlab.data.thumbnails import bare_jpeg
from dermlab.report.truth import GARBAGE
from dermlab.scores.predictions import target_names

THUMBNAIL = 240  # pixels of the longer side: sharp at the 150-200 px a page shows


@dataclass(frozen=True)
class Example:
    given: str
    suggested: str
    quality: float  # 0..1, low for a doubtful label
    truth: str  # what the row really is, empty where unknown
    image: str  # a data URI


@dataclass(frozen=True)
class ConfidentError:
    """A test photo that the model took for another diagnosis."""

    true: str
    predicted: str
    confidence: float
    image: str  # a data URI


def examples(flags: pd.DataFrame, catalog: pd.DataFrame, truth: pd.DataFrame, shards: Shards, count: int) -> list[Example]:
    """The most doubtful labels, class by class in turn, so that the commonest class does not fill the page."""
    flagged = flags[flags["label_issue"]].sort_values(["quality", "image_id"])
    turn = flagged.groupby("given").cumcount()
    chosen = flagged.assign(turn=turn).sort_values(["turn", "quality", "image_id"]).head(count)
    places = catalog.set_index("image_id")
    known = truth.set_index("image_id")
    out = []
    for row in chosen.itertuples():
        image = _photo(row.image_id, places, shards)
        said = _truth(known.loc[row.image_id], row.given) if row.image_id in known.index else ""
        out.append(Example(row.given, row.suggested, float(row.quality), said, thumbnail(image)))
    return out


def confident_errors(
    scored: pd.DataFrame, labels: np.ndarray, probs: np.ndarray, catalog: pd.DataFrame, shards: Shards, count: int
) -> list[ConfidentError]:
    """The surest of the wrong predictions, one a patient. scored: as of `scored_rows`; labels: int [N]; probs: float [N, K]."""
    names, predicted = target_names(scored), probs.argmax(axis=1)
    wrong = scored.assign(predicted=predicted, confidence=probs.max(axis=1))[predicted != labels]
    surest = wrong.sort_values(["confidence", "image_id"], ascending=[False, True]).drop_duplicates("patient_id").head(count)
    places = catalog.set_index("image_id")
    return [
        ConfidentError(row.label, names[row.predicted], float(row.confidence), thumbnail(_photo(row.image_id, places, shards)))
        for row in surest.itertuples()
    ]


def _photo(image_id: str, places: pd.DataFrame, shards: Shards) -> Image.Image:
    return shards.image(int(places.at[image_id, "shard"]), int(places.at[image_id, "row"]))


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
