"""The photos in question are shown as the source has them, where it can be reached."""

import io

from photos import folder_source
from PIL import Image

from dermlab.data.tables import WANTED, write_table
from dermlab.lock.listing import Options
from dermlab.lock.lock import lock
from dermlab.review.originals import originals
from dermlab.run import paths


def test_photos_come_from_the_source_without_metadata_and_what_changed_or_went_is_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    uri = folder_source(tmp_path / "in")
    pin = lock(uri, Options(min_class_count=2), tmp_path / "source", paths.LOCATION)
    write_table(paths.WANTED, pin.manifest[["image_id", "key", "size", "etag"]], WANTED)
    (tmp_path / "in" / "01.jpg").unlink()
    (tmp_path / "in" / "02.jpg").write_bytes((tmp_path / "in" / "03.jpg").read_bytes())
    of_key = pin.manifest.set_index("key")["image_id"]
    found = originals(of_key[["00.jpg", "01.jpg", "02.jpg"]].tolist(), 480)
    assert list(found) == [of_key["00.jpg"]]
    assert Image.open(io.BytesIO(found[of_key["00.jpg"]])).size == (48, 36)


def test_without_a_source_here_there_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert originals(["any"], 480) == {}
