"""Objects of an S3 bucket, many requests under way at once; no byte of an original touches the disk.

How they are reached stands in dermlab.run.objects.s3.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any
from uuid import uuid4

from dermlab.run.errors import SourceError
from dermlab.run.objects.keys import ObjectError, check_size, is_data
from dermlab.run.objects.s3 import SCHEME, may_pass, open_store, reason_of, split

ATTEMPTS, PAUSE = 5, 0.5  # of one object beyond what obstore retries; seconds, doubled each time


class S3Files:
    """Objects below `s3://bucket/prefix`; the etag is the server's own, a multipart one included. `connections`: requests under way at once
    in one process."""

    def __init__(self, uri: str, endpoint_url: str | None = None, connections: int = 16) -> None:
        self.bucket, self.prefix = split(uri)
        self.endpoint_url, self.connections = endpoint_url, connections
        self._name, self._threads = uuid4().hex, ThreadPoolExecutor(connections)  # threads start when they are needed
        self._store: Any = None
        self._listed: dict[str, tuple[int, str]] | None = None

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}".rstrip("/")

    def list(self) -> "list[str]":
        return sorted(self._listing())

    def pin(self, key: str) -> tuple[int, str]:
        size, etag = self._listing()[key]
        check_size(size, key)
        return size, etag

    def read(self, key: str) -> bytes:
        return self._get(key)[0]

    def some(self, keys: Sequence[str]) -> "S3Files":
        return self

    def read_many(self, keys: Sequence[str]) -> Iterator[tuple[bytes, str]]:
        """In order, with up to `connections` of the next ones on their way or waiting in memory."""
        self._open()  # or each thread would open one of its own
        some = max(1, self.connections // 4)  # asked for together: threads that wake now and then slow down whoever decodes
        ahead: deque[Future] = deque()
        try:
            for start in range(0, len(keys), some):
                ahead.extend(self._threads.submit(self._get, key) for key in keys[start : start + some])
                while len(ahead) > self.connections - some:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()

    def _listing(self) -> dict[str, tuple[int, str]]:
        if self._listed is None:
            import obstore

            from dermlab.run.progress import progress

            found: dict[str, tuple[int, str]] = {}
            try:
                with progress("list", 0, "objects") as meter:
                    for page in obstore.list(self._open(), chunk_size=1000):
                        found |= {meta["path"]: (meta["size"], _plain(meta["e_tag"])) for meta in page if is_data(meta["path"])}
                        meter.advance(len(page))
            except SourceError:  # ours
                raise
            except Exception as error:  # obstore's errors have no common base but Exception
                raise SourceError(f"{self} cannot be listed: {reason_of(error)}") from error
            if not found:
                raise SourceError(f"{self} holds no objects. Check bucket and prefix (`aws s3 ls {self}/`).")
            self._listed = found
        return self._listed

    def _get(self, key: str) -> tuple[bytes, str]:
        import obstore

        pause = PAUSE
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = obstore.get(self._open(), key)
                check_size(answer.meta["size"], key)
                data = bytes(answer.bytes())
                if len(data) == answer.meta["size"]:
                    return data, _plain(answer.meta["e_tag"])
                why = f"came as {len(data)} of {answer.meta['size']} bytes"
            except SourceError:  # ours
                raise
            except FileNotFoundError as error:
                raise ObjectError(key, "is not there any more, as it was when the source was locked. Restore it, or lock again") from error
            except Exception as error:  # obstore's errors have no common base but Exception
                why = reason_of(error)
                if not may_pass(error):
                    raise ObjectError(key, why) from error
            if attempt < ATTEMPTS:
                time.sleep(pause)
                pause *= 2
        raise ObjectError(key, f"{why} (tried {ATTEMPTS} times). Run again to go on: nothing that was pulled is pulled twice")

    def _open(self) -> Any:
        if self._store is None:
            self._store = open_store(self.bucket, self.prefix, self.endpoint_url)
        return self._store

    def __reduce__(self) -> tuple:
        return _copy, (self._name, str(self), self.endpoint_url, self.connections)


@lru_cache(maxsize=1)
def _copy(name: str, uri: str, endpoint_url: str | None, connections: int) -> S3Files:
    """One for all the parts that a process reads of one pull: it connects once, and keeps connections and threads."""
    return S3Files(uri, endpoint_url, connections)


def _plain(etag: str | None) -> str:
    return (etag or "").removeprefix("W/").strip('"')
