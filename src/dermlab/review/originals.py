"""The photos in question as the source has them: what is stored is small enough for a network, too small to decide on a label."""

from collections.abc import Sequence

from dermlab.data.tables import WANTED, read_table
from dermlab.pull.develop import BrokenImageError, develop
from dermlab.run import paths
from dermlab.run.errors import SourceError
from dermlab.run.location import read_location
from dermlab.run.objects.opening import open_objects
from dermlab.run.progress import progress

MAX_PIXELS = 100_000_000


def originals(image_ids: Sequence[str], short_side: int) -> dict[str, bytes]:
    """image id -> JPEG without metadata whose shorter side is at most `short_side`; without those that cannot be reached any more or are
    not what was pinned. Empty where nothing says where the source lies or what it holds."""
    if not paths.WANTED.exists():
        return {}
    wanted = read_table(paths.WANTED, WANTED).set_index("image_id")
    try:
        objects = open_objects(*read_location())
    except SourceError:
        return {}
    found = {}
    with progress("photos", len(image_ids)) as meter:
        for image_id in meter.track(image_ids):
            row = wanted.loc[image_id]
            try:
                ((data, etag),) = objects.read_many([row["key"]])
                if etag == row["etag"]:
                    found[image_id] = develop(data, short_side, MAX_PIXELS).jpeg
            except (SourceError, BrokenImageError):
                continue
    return found
