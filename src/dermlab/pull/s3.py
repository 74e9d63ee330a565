"""Objects of an S3 bucket, many requests under way at once; no byte of an original touches the disk.

obstore signs, retries and streams; credentials are those that DVC takes, by botocore's order: environment, profile, instance role.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from dermlab.data.errors import SourceError
from dermlab.pull.objects import ObjectError, check_size, is_data

SCHEME = "s3://"
ATTEMPTS, PAUSE = 5, 0.5  # of one object beyond what obstore retries; seconds, doubled each time
RETRIES = {"max_retries": 6, "retry_timeout": timedelta(seconds=120)}
PATIENCE = "60s"  # for one request; a stalled one is tried again
FINAL = ("ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "PermanentRedirect", "AuthorizationHeaderMalformed", "NoSuchBucket")


class S3Files:
    """Objects below `s3://bucket/prefix`; the etag is the server's own, a multipart one included. `connections`: requests under way at once
    in one process."""

    def __init__(self, uri: str, endpoint_url: str | None = None, connections: int = 16) -> None:
        self.bucket, _, prefix = uri.removeprefix(SCHEME).partition("/")
        self.prefix, self.endpoint_url, self.connections = prefix.strip("/"), endpoint_url, connections
        if not self.bucket:
            raise SourceError(f"{uri!r} names no bucket. Write s3://BUCKET/PREFIX.")
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
        with ThreadPoolExecutor(self.connections) as pool:
            ahead: deque[Future] = deque()
            try:
                for key in keys:
                    ahead.append(pool.submit(self._get, key))
                    if len(ahead) == self.connections:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:
                for future in ahead:
                    future.cancel()

    def _listing(self) -> dict[str, tuple[int, str]]:
        if self._listed is None:
            import obstore

            from dermlab.data.progress import progress

            found: dict[str, tuple[int, str]] = {}
            try:
                with progress("list", 0, "objects") as meter:
                    for page in obstore.list(self._open(), chunk_size=1000):
                        found |= {meta["path"]: (meta["size"], _plain(meta["e_tag"])) for meta in page if is_data(meta["path"])}
                        meter.advance(len(page))
            except SourceError:  # ours
                raise
            except Exception as error:  # obstore's errors have no common base but Exception
                raise SourceError(f"{self} cannot be listed: {_why(error)}") from error
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
                why = _why(error)
                if not _may_pass(error):
                    raise ObjectError(key, why) from error
            if attempt < ATTEMPTS:
                time.sleep(pause)
                pause *= 2
        raise ObjectError(key, f"{why} (tried {ATTEMPTS} times). Run again to go on: nothing that was pulled is pulled twice")

    def _open(self) -> Any:
        if self._store is None:
            from obstore.store import S3Store

            session = _session()
            self._store = S3Store(
                self.bucket,
                prefix=self.prefix or None,
                region=session.get_config_variable("region") or "us-east-1",
                endpoint=self.endpoint_url,
                virtual_hosted_style_request=self.endpoint_url is None,
                client_options={"allow_http": bool(self.endpoint_url and self.endpoint_url.startswith("http://")), "timeout": PATIENCE},
                retry_config=RETRIES,
                credential_provider=_credentials(session),
            )
        return self._store

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_store": None, "_listed": None}  # a process that gets a copy connects by itself


def _session() -> Any:
    import botocore.session

    return botocore.session.get_session()


def _credentials(session: Any) -> Any:
    """A function that obstore calls when it needs credentials, again before they expire. Raises SourceError where there are none."""
    found = session.get_credentials()
    if found is None:
        raise SourceError(
            "There are no S3 credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role gives them."
        )

    def provide() -> dict[str, Any]:
        now = found.get_frozen_credentials()  # a role's or a profile's are renewed here
        given = {"access_key_id": now.access_key, "secret_access_key": now.secret_key, "token": now.token}
        return {**given, "expires_at": datetime.now(UTC) + timedelta(minutes=5)}

    return provide


def _plain(etag: str | None) -> str:
    return (etag or "").removeprefix("W/").strip('"')


def _may_pass(error: Exception) -> bool:
    """Whether it may go by itself: a reset, a stall, a server that is too busy."""
    from obstore import exceptions

    lasting = (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, exceptions.InvalidPathError)
    return not isinstance(error, lasting) and not any(word in str(error) for word in FINAL)


def _why(error: Exception) -> str:
    """In words; the object's name, which stands in obstore's, is left out."""
    said = str(error)
    if "ExpiredToken" in said or "TokenRefreshRequired" in said:
        return "the S3 credentials have expired. Renew them and run again: what was pulled is kept"
    if "InvalidAccessKeyId" in said or "SignatureDoesNotMatch" in said:
        return "the S3 credentials are not accepted. Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if "NoSuchBucket" in said:
        return "there is no such bucket. Check its name, and AWS_ENDPOINT_URL where the server is not Amazon's"
    if "PermanentRedirect" in said or "AuthorizationHeaderMalformed" in said:
        return "the bucket lies in another region. Set AWS_DEFAULT_REGION to it"
    if "SlowDown" in said or "503" in said or "429" in said:
        return "the server asks to slow down. Lower machine.connections"
    if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError") or "403" in said:
        return "reading is forbidden to these credentials (s3:GetObject, s3:ListBucket)"
    return f"the server could not be reached or broke off ({type(error).__name__})"
