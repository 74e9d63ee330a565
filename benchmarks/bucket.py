"""An S3 bucket in memory, for benchmarks: lists, and answers GET and HEAD, in a process of its own, if asked to some milliseconds late.

A real server costs more for an object than obstore does: it would be the server that is measured.
"""

import asyncio
import multiprocessing
import multiprocessing.connection
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from hashlib import md5
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import urlopen

BUCKET, PAGE, CPU = "photos", 1000, "/cpu"
MODIFIED, MODIFIED_ISO = "Thu, 01 Jan 2026 00:00:00 GMT", "2026-01-01T00:00:00.000Z"


@contextmanager
def serving(objects: Mapping[str, bytes], latency: float = 0.0) -> Iterator[dict[str, str]]:
    """Yields the environment that reaches the server. `latency`: seconds that each answer waits."""
    ours, theirs = multiprocessing.Pipe()
    # Forked, so that the objects are not copied; it runs nothing but the loop below.
    server = multiprocessing.get_context("fork").Process(target=_serve, args=(objects, latency, theirs), daemon=True)
    server.start()
    try:
        yield {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ours.recv()}",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        server.terminate()
        server.join()


def cpu_seconds(endpoint_url: str) -> float:
    """Of the server, so far: whether it was what the others waited for."""
    with urlopen(endpoint_url + CPU) as answer:
        return float(answer.read())


def _serve(objects: Mapping[str, bytes], latency: float, told: multiprocessing.connection.Connection) -> None:
    async def serve() -> None:
        bucket = _Bucket(objects)
        server = await asyncio.get_running_loop().create_server(partial(_Connection, bucket, latency), "127.0.0.1", 0, backlog=1024)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


class _Bucket:
    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self.sizes = {key: len(data) for key, data in sorted(objects.items())}
        self.etags = {key: md5(data).hexdigest() for key, data in objects.items()}
        self.heads = {key: _head(200, self.sizes[key], f'ETag: "{self.etags[key]}"\r\nLast-Modified: {MODIFIED}\r\n') for key in objects}
        self.whole = {f"/{BUCKET}/{key}".encode(): (self.heads[key], data) for key, data in objects.items()}

    def answer(self, method: bytes, target: bytes) -> tuple[bytes, ...]:
        if method == b"GET" and (known := self.whole.get(target)):
            return known
        url = urlsplit(target.decode())
        key = unquote(url.path).removeprefix(f"/{BUCKET}").removeprefix("/")
        if url.path == CPU:
            said = f"{time.process_time():.6f}".encode()
            return _head(200, len(said)), said
        if key in self.heads:
            return (self.heads[key],) if method == b"HEAD" else self.whole[f"/{BUCKET}/{key}".encode()]
        if key:
            return (_head(404, 0),)
        page = self._page(**{name: values[0] for name, values in parse_qs(url.query).items() if name in ("prefix", "continuation-token")})
        return _head(200, len(page), "Content-Type: application/xml\r\n"), page

    def _page(self, prefix: str = "", **after: str) -> bytes:
        """Of ListObjectsV2: keys that stand after the token, which is a key."""
        keys = [key for key in self.sizes if key.startswith(prefix) and key > after.get("continuation-token", "")]
        contents = "".join(
            f"<Contents><Key>{key}</Key><LastModified>{MODIFIED_ISO}</LastModified><ETag>&quot;{self.etags[key]}&quot;</ETag>"
            f"<Size>{self.sizes[key]}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key in keys[:PAGE]
        )
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{keys[PAGE - 1]}</NextContinuationToken>" if len(keys) > PAGE else ""
        return (
            f'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{BUCKET}</Name>'
            f"<Prefix>{prefix}</Prefix><KeyCount>{len(keys[:PAGE])}</KeyCount><MaxKeys>{PAGE}</MaxKeys>{more}{contents}</ListBucketResult>"
        ).encode()


def _head(status: int, size: int, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} -\r\nContent-Length: {size}\r\n{headers}\r\n".encode()


class _Connection(asyncio.Protocol):
    def __init__(self, bucket: _Bucket, latency: float) -> None:
        self.bucket, self.latency, self.asked = bucket, latency, b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self.asked = (self.asked + data).split(b"\r\n\r\n")
        for request in requests:
            method, target, _ = request.split(b" ", 2)
            answer = self.bucket.answer(method, target)
            if self.latency:
                asyncio.get_running_loop().call_later(self.latency, self._write, answer)
            else:
                self._write(answer)

    def _write(self, answer: tuple[bytes, ...]) -> None:
        for part in answer:  # not joined: that would copy the object
            self.transport.write(part)
