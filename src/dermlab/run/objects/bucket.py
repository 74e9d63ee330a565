"""Objects of an S3 bucket, many requests under way at once; no byte of an original touches the disk.

How they are reached stands in dermlab.run.objects.s3.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any
from uuid import uuid4

from dermlab.run.errors import SourceError
from dermlab.run.objects.keys import HEAD_BYTES, ObjectError, check_size
from dermlab.run.objects.s3 import SCHEME, may_pass, open_store, reason_of, split

ATTEMPTS, PAUSE = 5, 0.5  # of one object beyond what obstore retries; seconds, doubled each time


class S3Files:
    """Objects below `s3://bucket/prefix`; the etag is the server's own, a multipart one included. `connections`: requests under way at once
    in one process."""

    said: Sequence[str] = ()

    def __init__(self, uri: str, endpoint_url: str | None = None, connections: int = 16) -> None:
        self.bucket, self.prefix = split(uri)
        self.endpoint_url, self.connections = endpoint_url, connections
        self._name, self._threads = uuid4().hex, ThreadPoolExecutor(connections)  # threads start when they are needed
        self._store: Any = None
        self._ranges = True
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
        return self._ahead(self._get, keys)

    def heads(self, keys: Sequence[str]) -> Iterator[bytes]:
        """A ranged read each, or the first that a server sends which knows no ranges. An empty object has none."""
        return self._ahead(lambda key: self._get(key, HEAD_BYTES)[0] if self._listing()[key][0] else b"", keys)

    def _ahead(self, get: Callable[[str], Any], keys: Sequence[str]) -> Iterator[Any]:
        """In order, with up to `connections` of the next ones on their way or waiting in memory."""
        self._open()  # or each thread would open one of its own
        some = max(1, self.connections // 4)  # asked for together: threads that wake now and then slow down whoever decodes
        ahead: deque[Future] = deque()
        try:
            for start in range(0, len(keys), some):
                ahead.extend(self._threads.submit(get, key) for key in keys[start : start + some])
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
                        found |= {meta["path"]: (meta["size"], _plain(meta["e_tag"])) for meta in page}
                        meter.advance(len(page))
            except SourceError:  # ours
                raise
            except Exception as error:  # obstore's errors have no common base but Exception
                raise SourceError(f"{self} cannot be listed: {reason_of(error)}") from error
            if not found:
                raise SourceError(f"{self} holds no objects. Check bucket and prefix (`aws s3 ls {self}/`).")
            folders = {key[:at] for key in found for at, letter in enumerate(key) if letter == "/"}
            self._listed = {key: pin for key, pin in found.items() if pin[0] or key not in folders}  # consoles make one of a folder
        return self._listed

    def _get(self, key: str, first: int | None = None) -> tuple[bytes, str]:
        """`first`: so many bytes are asked for, from the beginning; None: all."""
        import obstore

        pause = PAUSE
        for attempt in range(1, ATTEMPTS + 1):
            try:
                ranged = first and self._ranges
                answer = obstore.get(self._open(), key, options={"range": (0, first)} if ranged else None)
                if first is None:
                    check_size(answer.meta["size"], key)
                expected = min(answer.meta["size"], first or answer.meta["size"])
                data = bytes(answer.bytes() if ranged or not first else next(iter(answer.stream(min_chunk_size=first))))[:expected]
                if len(data) == expected:
                    return data, _plain(answer.meta["e_tag"])
                why = f"came as {len(data)} of {expected} bytes"
            except SourceError:  # ours
                raise
            except FileNotFoundError as error:
                raise ObjectError(key, "is not there any more, as it was when the source was locked. Restore it, or lock again") from error
            except Exception as error:  # obstore's errors have no common base but Exception
                if first and "NotPartial" in str(error):  # some servers say "the whole" of a range
                    self._ranges = False
                    continue
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
