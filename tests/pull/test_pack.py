import io
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from defaults import DEFAULTS
from photos import folder_source, jpeg
from PIL import Image

from dermlab.data.shards import Shards, shard_name
from dermlab.data.tables import IMAGES, QUARANTINE, WANTED, write_table
from dermlab.lock.listing import Options
from dermlab.lock.lock import lock, opaque_id
from dermlab.pull.develop import BrokenImageError, develop
from dermlab.pull.pack import Pulled, pack
from dermlab.pull.params import Params, PullParams
from dermlab.pull.reuse import earlier_photos
from dermlab.run import paths
from dermlab.run.errors import SourceError
from dermlab.run.last_run import LastRun
from dermlab.run.objects.files import FolderFiles
from dermlab.run.params import read_params

KNOBS = read_params(Params, DEFAULTS).pull
LOOSE = KNOBS.model_copy(update={"max_quarantine": 0.1})


def wanted_of(tmp_path, uri: str) -> pd.DataFrame:
    return lock(uri, Options(min_class_count=2), tmp_path / "source", tmp_path / ".location").manifest[["image_id", "key", "size", "etag"]]


def pulled(tmp_path, wanted: pd.DataFrame, knobs: PullParams = KNOBS, last: LastRun | None = None) -> Pulled:
    with ThreadPoolExecutor(2) as executor:
        earlier = earlier_photos(wanted, last)
        return pack(wanted, FolderFiles(tmp_path / "in"), knobs, executor, earlier, tmp_path / "shards", tmp_path / "checkpoints")


def as_last_run(tmp_path, wanted: pd.DataFrame, result: Pulled) -> LastRun:
    """The files of a run, moved where a cache would have them."""
    cache = tmp_path / "cache"
    cache.mkdir()
    write_table(cache / "wanted", wanted, WANTED)
    write_table(cache / "images", result.images, IMAGES)
    write_table(cache / "quarantine", result.quarantine, QUARANTINE)
    files = {str(paths.WANTED): cache / "wanted", str(paths.IMAGES): cache / "images", str(paths.QUARANTINE): cache / "quarantine"}
    for shard in (tmp_path / "shards").iterdir():
        files[str(paths.SHARDS / shard.name)] = shard.rename(cache / shard.name)
    return LastRun(files)


def test_wanted_images_are_packed_into_shards_and_a_table_in_contract(tmp_path):
    result = pulled(tmp_path, wanted_of(tmp_path, folder_source(tmp_path / "in")))
    write_table(tmp_path / "images.parquet", result.images, IMAGES)
    row = result.images.iloc[7]
    assert Shards(tmp_path / "shards").image(row["shard"], row["row"]).size == (row["width"], row["height"]) == (48, 36)
    assert len(result.images) == 40
    assert result.quarantine.empty


def test_a_broken_image_is_quarantined_with_its_reason_and_the_run_goes_on(tmp_path):
    uri = folder_source(tmp_path / "in")
    (tmp_path / "in" / "03.jpg").write_bytes(jpeg(3)[:700])
    (tmp_path / "in" / "04.jpg").write_bytes(b"<html>not found</html>")
    wanted = wanted_of(tmp_path, uri)
    result = pulled(tmp_path, wanted, LOOSE)
    reasons = dict(zip(result.quarantine["image_id"], result.quarantine["reason"], strict=True))
    assert reasons[opaque_id("03.jpg")].startswith("cannot be decoded")
    assert reasons[opaque_id("04.jpg")].startswith("not an image we read (a web page")
    assert len(result.images) == 38
    with pytest.raises(SourceError, match=r"2 of 40 images are broken \(5.0%\), more than pull.max_quarantine = 1.0%") as refused:
        pulled(tmp_path, wanted)
    assert opaque_id("03.jpg") in str(refused.value)
    assert "03.jpg" not in str(refused.value)


def test_a_source_that_moved_after_the_lock_is_an_error_and_leaves_no_shards(tmp_path):
    wanted = wanted_of(tmp_path, folder_source(tmp_path / "in"))
    (tmp_path / "in" / "05.jpg").write_bytes(jpeg(99))
    with pytest.raises(SourceError, match=f"{opaque_id('05.jpg')} is not the object that was pinned"):
        pulled(tmp_path, wanted)
    assert not (tmp_path / "shards").exists()


def test_a_killed_pull_goes_on_from_the_parts_it_had(tmp_path):
    wanted = wanted_of(tmp_path, folder_source(tmp_path / "in", rows=160))
    first, last = wanted.sort_values("image_id")["key"].iloc[[0, -1]]
    (tmp_path / "in" / last).rename(tmp_path / "gone.jpg")
    with pytest.raises(SourceError, match="cannot be read"):
        pulled(tmp_path, wanted)
    (tmp_path / "gone.jpg").rename(tmp_path / "in" / last)
    finished = list((tmp_path / "checkpoints").rglob("*.arrow"))
    assert len(finished) == 2
    (tmp_path / "in" / first).unlink()  # belongs to a finished part: nobody asks for it again
    assert len(pulled(tmp_path, wanted).images) == 160
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_what_the_last_run_has_is_neither_read_nor_decoded_again_and_gives_the_same_bytes(tmp_path):
    uri = folder_source(tmp_path / "in", rows=50)
    (tmp_path / "in" / "04.jpg").write_bytes(b"<html>not found</html>")
    wanted = wanted_of(tmp_path, uri)
    whole = pulled(tmp_path, wanted, LOOSE)
    bytes_of_whole = (tmp_path / "shards" / shard_name(0)).read_bytes()
    without = wanted[~wanted["key"].isin(["07.jpg", "08.jpg"])]
    last = as_last_run(tmp_path, without, pulled(tmp_path, without, LOOSE))
    for path in (tmp_path / "in").iterdir():
        if path.name not in ("07.jpg", "08.jpg"):
            path.unlink()
    again = pulled(tmp_path, wanted, LOOSE, last)
    pd.testing.assert_frame_equal(again.images, whole.images)
    pd.testing.assert_frame_equal(again.quarantine, whole.quarantine)
    assert (tmp_path / "shards" / shard_name(0)).read_bytes() == bytes_of_whole


def test_a_row_whose_object_changed_or_that_has_no_etag_is_not_taken_from_the_last_run(tmp_path):
    wanted = wanted_of(tmp_path, folder_source(tmp_path / "in"))
    last = as_last_run(tmp_path, wanted, pulled(tmp_path, wanted))
    asked = wanted.assign(etag=wanted["etag"].where(wanted["key"] != "03.jpg", "another").where(wanted["key"] != "04.jpg", None))
    assert len(earlier_photos(wanted, last)) == 40
    assert set(wanted["image_id"]) - set(earlier_photos(asked, last).index) == {opaque_id("03.jpg"), opaque_id("04.jpg")}
    assert earlier_photos(wanted, None).empty


def test_metadata_is_stripped_after_the_photo_was_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    exif.get_ifd(0x8825)[1] = "N"
    data = jpeg(1, size=(60, 40), exif=exif)
    photo = develop(data, 32, 10_000)
    stored = Image.open(io.BytesIO(photo.jpeg))
    assert len(stored.getexif()) == 0
    assert (photo.width, photo.height) == stored.size == (32, 48)


def test_a_decompression_bomb_is_refused_before_its_pixels_are_decoded():
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    with pytest.raises(BrokenImageError, match="30000x30000 pixels, more than pull.max_pixels"):
        develop(bomb.getvalue(), 160, 100_000_000)


def test_a_small_image_is_never_enlarged():
    photo = develop(jpeg(1, size=(60, 40)), 160, 10_000)
    assert (photo.width, photo.height) == (60, 40)
