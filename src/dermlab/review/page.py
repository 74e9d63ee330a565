"""The queue of doubtful labels as one HTML page."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from dermlab.data.classes import DROP
from dermlab.data.ledger import HEADER
from dermlab.data.shards import Shards
from dermlab.review.html import LARGE, in_page, render
from dermlab.review.queue import Queue
from dermlab.run.files import write_text
from dermlab.run.progress import progress

NEIGHBOUR_SIDE = 120  # pixels of the longer side; the photos in question are larger, see `write_page`
NEIGHBOUR_QUALITY = 72
# When the page says that it may be enough. Were ERROR_SHARE or more of the labels wrong, RIGHT_IN_A_ROW right ones in a row would
# come about with a chance of 0.95^58 = 5.1 %; the exact upper 95 % bound on the share after 58 right ones is 1 - 0.05^(1/58) = 5.0 %
# (about 3/n: the rule of three, Hanley and Lippman-Hand 1983). A skipped photo says nothing either way: it neither counts nor breaks.
RIGHT_IN_A_ROW = 58
ERROR_SHARE = 0.05


def write_page(
    path: Path, queue: Queue, shards: Shards, reviewer: str = "", side: int = 480, originals: Mapping[str, bytes] | None = None
) -> None:
    """Writes the page atomically. side: pixels of the longer side of the photos in question, never enlarged. `originals`: JPEGs of those
    that are to be had larger than they are stored."""
    content = {
        "digest": queue.digest,
        "classes": queue.classes,
        "drop": DROP,
        "header": HEADER,
        "reviewer": reviewer,
        "rightInARow": RIGHT_IN_A_ROW,
        "errorShare": ERROR_SHARE,
        "reviewed": queue.reviewed,
        "later": queue.later,
        "cards": [asdict(card) for card in queue.cards],
        "labels": {image_id: photo.label for image_id, photo in queue.photos.items()},
        "photos": _photos(queue, shards, side, originals or {}),
    }
    scripts = ("shared.js", "decisions.js", "card.js", "keys.js")
    page = render("review.html.j2", content, scripts, ("review.css",), right_in_a_row=RIGHT_IN_A_ROW, error_share=ERROR_SHARE)
    write_text(path, page)


def _photos(queue: Queue, shards: Shards, side: int, originals: Mapping[str, bytes]) -> dict[str, str]:
    """image id -> base64 JPEG. Each photo once, large if it is asked about, however many photos it is a neighbour of."""
    asked = {card.image_id for card in queue.cards}
    photos = {}
    with progress("review", len(queue.photos)) as meter:
        for image_id, photo in meter.track(queue.photos.items()):
            jpeg = originals.get(image_id) or shards.jpeg(photo.shard, photo.row)
            size = (side, LARGE) if image_id in asked else (NEIGHBOUR_SIDE, NEIGHBOUR_QUALITY)
            photos[image_id] = in_page(jpeg, *size)
    return photos
