"""The photos in question as the source has them: what is stored is small enough for a network, too small to decide on a label."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dermlab.data.tables import WANTED, read_table
from dermlab.pull.develop import BrokenImageError, develop
from dermlab.run import paths
from dermlab.run.errors import SourceError
from dermlab.run.location import read_location
from dermlab.run.objects.keys import ObjectError, Objects
from dermlab.run.objects.opening import open_objects
from dermlab.run.progress import progress

MAX_PIXELS = 100_000_000
GIVEN_UP_AFTER = 10  # photos of which not one could be read: the source is not to be had from here
NAMED = 5  # photos that a line names


@dataclass(frozen=True)
class Originals:
    jpegs: dict[str, bytes] = field(default_factory=dict)  # image id -> JPEG without metadata
    # image id -> why there is none, of those that were asked for. Both are empty where nothing says where the source lies or what it
    # holds
    lost: dict[str, str] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """In one line, which photos are missing or broken; empty where none is."""
        if not self.jpegs and not self.lost:
            return "Photos are shown as they are stored, small: nothing says where the source lies on this machine"
        named = "; ".join(f"{image_id} {why}" for image_id, why in list(self.lost.items())[:NAMED])
        more = f"; and {len(self.lost) - NAMED} more" if len(self.lost) > NAMED else ""
        return f"{len(self.lost)} shown as stored, small: {named}{more}" if self.lost else ""


def originals(image_ids: Sequence[str], short_side: int) -> Originals:
    """Photos whose shorter side is at most `short_side`, read many at once where the source is a bucket."""
    if not paths.WANTED.exists():
        return Originals()
    wanted = read_table(paths.WANTED, WANTED).set_index("image_id").loc[list(dict.fromkeys(image_ids))]
    try:
        objects = open_objects(*read_location())
    except SourceError:
        return Originals()
    found = Originals()
    with progress("photos", len(wanted)) as meter:
        for row, read in zip(wanted.itertuples(), meter.track(_each(objects, wanted["key"].tolist())), strict=False):
            try:
                found.jpegs[row.Index] = _developed(read, row.etag, short_side)
            except (SourceError, BrokenImageError) as error:
                found.lost[row.Index] = error.why if isinstance(error, ObjectError) else str(error)
                if not found.jpegs and len(found.lost) == GIVEN_UP_AFTER:
                    break
    for image_id in wanted.index[len(found.jpegs) + len(found.lost) :]:
        found.lost[image_id] = "was not tried, since nothing could be read of the first"
    return found


def _each(objects: Objects, keys: Sequence[str]) -> Iterator[tuple[bytes, str] | SourceError]:
    """Of each key its bytes and etag, or why it cannot be read: one that cannot does not end the others."""
    done = 0
    while done < len(keys):
        rest = keys[done:]
        try:
            for read in objects.some(rest).read_many(rest):
                done += 1
                yield read
        except SourceError as error:
            done += 1
            yield error


def _developed(read: tuple[bytes, str] | SourceError, etag: str, short_side: int) -> bytes:
    if isinstance(read, SourceError):
        raise read
    if read[1] != etag:
        raise SourceError("is not the photo any more that was pinned")
    return develop(read[0], short_side, MAX_PIXELS).jpeg
