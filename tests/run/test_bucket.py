"""Objects of a bucket, from a real S3 server, also when server and network fail."""

import pickle
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from photos import jpeg
from s3_server import Proxy, client_of, serving

from dermlab.lock.listing import Options
from dermlab.lock.lock import lock
from dermlab.lock.sources import open_source
from dermlab.pull import pack as packing
from dermlab.pull.budget import check_disk, stored_bytes
from dermlab.pull.pack import pack
from dermlab.pull.params import PullParams
from dermlab.run.errors import BudgetError, SourceError
from dermlab.run.objects import bucket as s3
from dermlab.run.objects import s3 as reached_s3
from dermlab.run.objects.bucket import S3Files
from dermlab.run.objects.files import FolderFiles
from dermlab.run.objects.keys import ObjectError
from dermlab.run.objects.opening import open_objects

NAMES = [
    "a b.jpg", "a#b.jpg", "a?b.jpg", "a+b.jpg", "a%20b.jpg", "a&b=c.jpg", "nævus é.jpg", "e\u0301.jpg", "deep/er/x.jpg", "q'u\"o.jpg",
    "[x] {y} |z|.jpg", "c^`~*.jpg", "<z>.jpg",
]  # fmt: skip


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("s3")) as reached:
        client = client_of(reached)
        client.create_bucket(Bucket="photos")
        for name in NAMES:
            client.put_object(Bucket="photos", Key=f"odd/{name}", Body=name.encode())
        rows = ["image,label,patient_id"]
        for i in range(40):
            client.put_object(Bucket="photos", Key=f"clinic/images/{i:02d}.jpg", Body=jpeg(i))
            rows.append(f"images/{i:02d}.jpg,{('nevus', 'eczema')[i % 2]},P{i // 2}")
        client.put_object(Bucket="photos", Key="clinic/labels.csv", Body="\n".join(rows).encode())
        yield reached


@pytest.fixture
def proxy(bucket, monkeypatch):
    for name, value in bucket.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3, "PAUSE", 0.01)
    monkeypatch.setattr(reached_s3, "RETRIES", {"max_retries": 1})
    proxy = Proxy(bucket["AWS_ENDPOINT_URL"])
    yield proxy
    proxy.shutdown()


def clinic_through(proxy: Proxy, connections: int = 4) -> S3Files:
    return S3Files("s3://photos/clinic", proxy.endpoint_url, connections)


def test_keys_are_read_exactly(proxy):
    files = S3Files("s3://photos/odd/", proxy.endpoint_url)
    assert files.list() == sorted(NAMES)
    for name, (data, etag) in zip(NAMES, files.read_many(NAMES), strict=True):
        assert data == name.encode()
        assert (len(data), etag) == files.pin(name)


def test_a_bucket_is_locked_and_read_again_by_another_process_as_a_folder_would_be(proxy, tmp_path):
    options = Options(min_class_count=2, endpoint_url=proxy.endpoint_url)
    pin = lock("s3://photos/clinic", options, tmp_path / "pin", tmp_path / "location")
    assert len(pin.manifest) == 40
    assert pin.manifest["key"].str.startswith("images/").all()
    assert (tmp_path / "location").read_text() == f"s3://photos/clinic\n{proxy.endpoint_url}\n"
    objects = pickle.loads(pickle.dumps(open_objects("s3://photos/clinic", proxy.endpoint_url).some([])))
    read = list(objects.read_many(pin.manifest["key"].tolist()))
    assert [etag for _, etag in read] == pin.manifest["etag"].tolist()


@pytest.mark.parametrize("ranges", [True, False])
def test_of_a_bucket_no_more_is_read_to_know_photos_than_the_beginning_of_what_has_no_known_name(bucket, proxy, capsys, ranges):
    client, begun, dicom = client_of(bucket), {}, bytes(128) + b"DICM"
    odd = {"x": jpeg(1, (300, 300)), "y.jpg": jpeg(2), "z.dcm": dicom, "z.json": b"{}", "none": b"", "@eaDir/x": b"1"}
    for label in ("nevus", "eczema"):
        for name, body in odd.items():
            client.put_object(Bucket="photos", Key=f"odd-classes/{label}/{name}", Body=body)

    def fault(handler, status, headers, body):  # rclone answers a range with 200, which Amazon does not
        begun.setdefault(handler.path, handler.headers["Range"])
        return ranges and bool(handler.headers["Range"]) and not handler.reply(206, headers, body)

    proxy.fault = fault
    options = Options(min_class_count=1, no_patients=True, endpoint_url=proxy.endpoint_url)
    manifest = open_source("s3://photos/odd-classes", options).scan().manifest
    assert sorted(manifest["key"]) == ["eczema/x", "eczema/y.jpg", "nevus/x", "nevus/y.jpg"]
    asked = {path.rpartition("/")[2]: span for path, span in begun.items() if "list-type" not in path}
    assert set(asked) == {"x", "z.dcm"}
    assert set(asked.values()) <= {"bytes=0-511", *([] if ranges else [None])}  # None: after another thread saw that ranges are not known
    said = capsys.readouterr().out
    assert "passed over, as systems leave it: 2 @eaDir" in said
    assert "2 photos are known by their content: 2 without an extension" in said
    assert "6 files are no photos that can be read and are passed over" in said


def test_an_object_that_stands_for_a_folder_is_no_file(proxy, monkeypatch):
    listed = {"a": 0, "a/b": 0, "a/b/1.jpg": 9, "c": 0}
    monkeypatch.setattr("obstore.list", lambda *_, **__: [[{"path": path, "size": size, "e_tag": "x"} for path, size in listed.items()]])
    assert clinic_through(proxy).list() == ["a/b/1.jpg", "c"]


KEYS = [f"images/{i:02d}.jpg" for i in range(8)]


def test_a_process_that_reads_part_after_part_connects_once(proxy, monkeypatch):
    opened, open_store = [], s3.open_store
    monkeypatch.setattr(s3, "open_store", lambda *of: opened.append(of) or open_store(*of))
    sent = [pickle.dumps(clinic_through(proxy).some(KEYS))] * 3
    assert [len(list(pickle.loads(part).read_many(KEYS))) for part in sent] == [len(KEYS)] * 3
    assert len(opened) == 1
    list(pickle.loads(pickle.dumps(clinic_through(proxy))).read_many(KEYS))  # another pull, whose credentials may be others
    assert len(opened) == 2


def once_each(fail):
    """The fault, at the first request for each object alone."""
    seen, guard = set(), threading.Lock()

    def fault(handler, status, headers, body):
        with guard:
            first = handler.path not in seen
            seen.add(handler.path)
        return first and fail(handler, status, headers, body)

    return fault


def _server_error(handler, status, headers, body):
    handler.reply(500, {}, b"<Error><Code>InternalError</Code></Error>")
    return True


def _slow_down(handler, status, headers, body):
    handler.reply(503, {}, b"<Error><Code>SlowDown</Code></Error>")
    return True


def _reset(handler, status, headers, body):
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True
    return True


def _truncated(handler, status, headers, body):
    handler.send_response(status)
    for name in ("ETag", "Last-Modified"):
        handler.send_header(name, headers[next(n for n in headers if n.lower() == name.lower())])
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    return _reset(handler, status, headers, body)


def _stall(handler, status, headers, body):
    time.sleep(3)
    return _reset(handler, status, headers, body)


@pytest.mark.parametrize("fail", [_server_error, _slow_down, _reset, _truncated, _stall])
def test_what_passes_is_waited_for_and_the_bytes_are_those_of_an_undisturbed_run(proxy, monkeypatch, fail):
    monkeypatch.setattr(reached_s3, "PATIENCE", "1s")
    undisturbed = list(clinic_through(proxy).read_many(KEYS))
    proxy.fault = once_each(fail)
    assert list(clinic_through(proxy).read_many(KEYS)) == undisturbed


def _expired(handler, status, headers, body):
    handler.reply(400, {}, b"<Error><Code>ExpiredToken</Code></Error>")
    return True


def _forbidden(handler, status, headers, body):
    handler.reply(403, {}, b"<Error><Code>AccessDenied</Code></Error>")
    return True


def _changed(handler, status, headers, body):
    handler.reply(status, {**{name: value for name, value in headers.items() if name.lower() != "etag"}, "ETag": '"of other bytes"'}, body)
    return True


def _gone(handler, status, headers, body):
    handler.reply(404, {}, b"<Error><Code>NoSuchKey</Code></Error>")
    return True


@pytest.mark.parametrize(
    ("fail", "says", "requests"),
    [
        (_expired, "credentials have expired", 2),
        (_forbidden, "reading is forbidden", 2),
        (_gone, "is not there any more", 2),
        (_slow_down, "asks to slow down. Lower machine.connections .tried 5 times", 30),
        (_reset, "could not be reached or broke off .* .tried 5 times", 30),
    ],
)
def test_what_does_not_pass_is_told_apart_and_names_no_key(proxy, fail, says, requests):
    proxy.fault = fail
    with pytest.raises(ObjectError, match=says) as error:
        clinic_through(proxy).read(KEYS[0])
    assert "images/" not in str(error.value)
    assert error.value.key == KEYS[0]
    assert len(proxy.asked) <= requests


def test_digits_in_an_address_are_not_taken_for_an_answer():
    broke_off = OSError("Error performing GET http://127.0.0.1:45031/photos/ISIC_0340301.jpg in 429ms - HTTP error: error sending request")
    assert "could not be reached or broke off" in reached_s3.reason_of(broke_off)


def test_wrong_credentials_a_missing_bucket_and_none_at_all_are_said(proxy, monkeypatch):
    with pytest.raises(SourceError, match="there is no such bucket|holds no objects"):
        S3Files("s3://elsewhere/x", proxy.endpoint_url).list()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(SourceError, match="cannot be listed: the S3 credentials are not accepted"):
        clinic_through(proxy).list()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nonexistent")
    with pytest.raises(SourceError, match="There are no S3 credentials"):
        clinic_through(proxy).list()


@pytest.mark.parametrize("connections", [1, 4, 16])
def test_no_more_photos_are_ahead_than_connections(proxy, connections):
    names = [f"images/{i:02d}.jpg" for i in range(40)]
    reader = clinic_through(proxy, connections).read_many(names)
    for given, _ in enumerate(reader):
        time.sleep(0.5 if given == 0 else 0.01)
        assert len(proxy.asked) <= given + connections
    assert sorted(proxy.asked) == sorted(f"/photos/clinic/{name}" for name in names)


def test_shards_from_a_bucket_are_those_from_a_folder_and_an_interrupted_pull_asks_for_nothing_twice(proxy, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "PART_ROWS", 16)
    (tmp_path / "images").mkdir()
    names = [f"images/{i:02d}.jpg" for i in range(40)]
    for i, name in enumerate(names):
        (tmp_path / name).write_bytes(jpeg(i))
    files = clinic_through(proxy)
    wanted = pd.DataFrame({"image_id": [f"{i:02d}" for i in range(40)], "key": names})
    wanted["size"], wanted["etag"] = zip(*(files.pin(name) for name in names), strict=True)
    knobs = PullParams(image_size=32, max_pixels=10**8, max_quarantine=0.1)

    def pulled(objects, rows, into):
        with ThreadPoolExecutor(1) as executor:
            pack(rows, objects, knobs, executor, shards=tmp_path / into, checkpoints=tmp_path / f"parts-{into}")
        return {path.name: path.read_bytes() for path in (tmp_path / into).iterdir()}

    of_folder = pulled(FolderFiles(tmp_path), wanted.assign(etag=None), "folder")
    proxy.fault = lambda handler, *answer: "39.jpg" in handler.path and _gone(handler, *answer)
    with pytest.raises(SourceError, match="The object of image 39 is not there any more"):
        pulled(files, wanted, "bucket")
    proxy.fault = lambda handler, *answer: "39.jpg" in handler.path and _changed(handler, *answer)
    with pytest.raises(SourceError, match="39 is not the object that was pinned"):
        pulled(files, wanted, "bucket")
    proxy.fault = None
    before = len(proxy.asked)
    assert pulled(files, wanted, "bucket") == of_folder
    assert len(proxy.asked) - before == 8  # of the third part alone


def test_what_does_not_fit_the_disk_is_refused_with_the_arithmetic_before_anything_is_fetched():
    wanted = pd.DataFrame({"image_id": range(118785), "size": 875_000})
    with pytest.raises(BudgetError) as error:
        check_disk(wanted, len(wanted), 448, budget_gb=10)
    need = 2 * 118785 * stored_bytes(448) / 1e9
    assert f"would need {need:,.2f} GB: 118,785 photos of 448 px" in str(error.value)
    assert "(the originals, 103.9 GB, are never on the disk)" in str(error.value)
    assert "There are 10.00 GB (machine.disk_budget_gb). Nothing was fetched." in str(error.value)
    check_disk(wanted.head(10), 10, 448, budget_gb=10)
