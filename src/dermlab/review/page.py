"""The queue as one HTML page that works offline: photos, script and style lie in it, and it may fetch nothing."""

import base64
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from dermlab.data.files import write_text
from dermlab.data.ledger import DROP, HEADER
from dermlab.data.progress import progress
from dermlab.data.shards import Shards
from dermlab.data.thumbnails import bare_jpeg
from dermlab.review.queue import Queue

NEIGHBOUR_SIDE = 120  # pixels of the longer side; the photos in question are larger, see `write_page`
PHOTO_QUALITY, NEIGHBOUR_QUALITY = 80, 72
# When the page says that it may be enough. Were ERROR_SHARE or more of the labels wrong, RIGHT_IN_A_ROW right ones in a row would
# come about with a chance of 0.95^58 = 5.1 %; the exact upper 95 % bound on the share after 58 right ones is 1 - 0.05^(1/58) = 5.0 %
# (about 3/n: the rule of three, Hanley and Lippman-Hand 1983). A skipped photo says nothing either way: it neither counts nor breaks.
RIGHT_IN_A_ROW = 58
ERROR_SHARE = 0.05
SCRIPTS = ("decisions.js", "card.js", "keys.js")


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
    write_text(path, _render(content))


def _render(content: dict) -> str:
    """The page around its content."""
    script = "\n".join(_template(name) for name in SCRIPTS)
    style = _template("review.css")
    environment = Environment(
        loader=PackageLoader("dermlab.review", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("review.html.j2").render(
        content=_json(content),
        script=Markup(script),
        style=Markup(style),
        script_hash=_csp_hash(script),
        style_hash=_csp_hash(style),
        right_in_a_row=RIGHT_IN_A_ROW,
        error_share=ERROR_SHARE,
    )


def _photos(queue: Queue, shards: Shards, side: int, originals: Mapping[str, bytes]) -> dict[str, str]:
    """image id -> base64 JPEG. Each photo once, large if it is asked about, however many photos it is a neighbour of."""
    asked = {card.image_id for card in queue.cards}
    photos = {}
    with progress("review", len(queue.photos)) as meter:
        for image_id, photo in meter.track(queue.photos.items()):
            image = Image.open(io.BytesIO(originals.get(image_id) or shards.jpeg(photo.shard, photo.row)))
            large = image_id in asked
            jpeg = bare_jpeg(image, side, PHOTO_QUALITY) if large else bare_jpeg(image, NEIGHBOUR_SIDE, NEIGHBOUR_QUALITY)
            photos[image_id] = base64.b64encode(jpeg).decode()
    return photos


def _template(name: str) -> str:
    return files("dermlab.review").joinpath("templates", name).read_text(encoding="utf-8")


def _json(content: dict) -> Markup:
    """JSON that no label can break out of: without `<` there is no `</script>` and no `<!--`."""
    return Markup(json.dumps(content, separators=(",", ":")).replace("<", "\\u003c"))


def _csp_hash(text: str) -> str:
    """What a content security policy calls an inline block by; a block that is not called may not run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
