"""The photos in question are shown as the source has them, where it can be reached."""

import io
import re
import threading
import time

import pandas as pd
from photos import folder_source, jpeg
from PIL import Image
from s3_server import Proxy, client_of, serving

from dermlab.data.tables import WANTED, write_table
from dermlab.lock.listing import Options
from dermlab.lock.lock import lock
from dermlab.review.originals import Originals, originals
from dermlab.run import paths


def test_photos_come_from_the_source_without_metadata_and_what_changed_or_went_is_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    uri = folder_source(tmp_path / "in")
    pin = lock(uri, Options(min_class_count=2), tmp_path / "source", paths.LOCATION)
    write_table(paths.WANTED, pin.manifest[["image_id", "key", "size", "etag"]], WANTED)
    (tmp_path / "in" / "01.jpg").unlink()
    (tmp_path / "in" / "02.jpg").write_bytes((tmp_path / "in" / "03.jpg").read_bytes())
    of_key = pin.manifest.set_index("key")["image_id"]
    found = originals(of_key[["01.jpg", "02.jpg", "00.jpg", "00.jpg"]].tolist(), 480)
    assert list(found.jpegs) == [of_key["00.jpg"]]
    assert Image.open(io.BytesIO(found.jpegs[of_key["00.jpg"]])).size == (48, 36)
    assert list(found.lost) == [of_key["01.jpg"], of_key["02.jpg"]]
    assert re.fullmatch(
        rf"2 shown as stored, small: {of_key['01.jpg']} cannot be read .*; {of_key['02.jpg']} is not the photo any more .*", found.said
    )
    assert ".jpg" not in found.said


def test_without_a_source_here_there_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert originals(["any"], 480) == Originals()
    assert "nothing says where the source lies" in Originals().said


def test_a_source_of_which_ten_photos_cannot_be_read_is_not_asked_for_the_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pin = lock(folder_source(tmp_path / "in"), Options(min_class_count=2), tmp_path / "source", paths.LOCATION)
    write_table(paths.WANTED, pin.manifest[["image_id", "key", "size", "etag"]], WANTED)
    for photo in (tmp_path / "in").glob("*.jpg"):
        photo.unlink()
    found = originals(pin.manifest["image_id"].tolist(), 480)
    assert not found.jpegs
    assert len(found.lost) == 40
    assert sum("was not tried" in why for why in found.lost.values()) == 30
    assert found.said.endswith("; and 35 more")


def test_photos_of_a_bucket_are_fetched_many_at_once_and_one_that_is_gone_does_not_end_the_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with serving(tmp_path / "served") as reached:
        client = client_of(reached)
        client.create_bucket(Bucket="photos")
        keys = [f"{i:02d}.jpg" for i in range(24)]
        etags = [client.put_object(Bucket="photos", Key=key, Body=jpeg(i))["ETag"].strip('"') for i, key in enumerate(keys)]
        client.delete_object(Bucket="photos", Key="03.jpg")
        write_table(paths.WANTED, pd.DataFrame({"image_id": [f"i{key}" for key in keys], "key": keys, "size": 1, "etag": etags}), WANTED)
        proxy = Proxy(reached["AWS_ENDPOINT_URL"])
        for name, value in {**reached, "AWS_ENDPOINT_URL": proxy.endpoint_url, "DERMLAB_SOURCE": "s3://photos"}.items():
            monkeypatch.setenv(name, value)
        under_way, most, guard = set(), [], threading.Lock()

        def slow(handler, *answer):
            with guard:
                under_way.add(handler)
                most.append(len(under_way))
            time.sleep(0.2)
            with guard:
                under_way.discard(handler)
            return False

        proxy.fault = slow
        found = originals([f"i{key}" for key in keys], 480)
        proxy.shutdown()
    assert list(found.jpegs) == [f"i{key}" for key in keys if key != "03.jpg"]
    assert list(found.lost) == ["i03.jpg"]
    assert "is not there any more" in found.said
    assert max(most) > 4
