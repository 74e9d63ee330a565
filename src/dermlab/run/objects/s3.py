"""How an S3 bucket is reached. obstore signs, retries and streams; credentials are those that DVC takes, by botocore's order: environment,
profile, instance role."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from dermlab.run.errors import SourceError

SCHEME = "s3://"
RETRIES = {"max_retries": 6, "retry_timeout": timedelta(seconds=120)}
PATIENCE = "60s"  # for one request; a stalled one is tried again
FINAL = ("ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "PermanentRedirect", "AuthorizationHeaderMalformed", "NoSuchBucket")


def split(uri: str) -> tuple[str, str]:
    """Bucket and prefix of s3://BUCKET/PREFIX. Raises SourceError where it names no bucket."""
    bucket, _, prefix = uri.removeprefix(SCHEME).partition("/")
    if not uri.startswith(SCHEME) or not bucket:
        raise SourceError(f"{uri!r} names no bucket. Write s3://BUCKET/PREFIX.")
    return bucket, prefix.strip("/")


def open_store(bucket: str, prefix: str, endpoint_url: str | None) -> Any:
    """An obstore S3Store. `endpoint_url`: of a server that is not Amazon's. Raises SourceError where there are no credentials."""
    from obstore.store import S3Store

    session = _session()
    return S3Store(
        bucket,
        prefix=prefix or None,
        region=session.get_config_variable("region") or "us-east-1",
        endpoint=endpoint_url,
        virtual_hosted_style_request=endpoint_url is None,
        client_options={"allow_http": bool(endpoint_url and endpoint_url.startswith("http://")), "timeout": PATIENCE},
        retry_config=RETRIES,
        credential_provider=_credentials(session),
    )


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


def may_pass(error: Exception) -> bool:
    """Whether it may go by itself: a reset, a stall, a server that is too busy."""
    from obstore import exceptions

    lasting = (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, exceptions.InvalidPathError)
    return not isinstance(error, lasting) and _answer(error)[1] not in FINAL


def reason_of(error: Exception) -> str:
    """In words; the object's name, which stands in obstore's, is left out."""
    status, code = _answer(error)
    if code in ("ExpiredToken", "TokenRefreshRequired"):
        return "the S3 credentials have expired. Renew them and run again: what was pulled is kept"
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch"):
        return "the S3 credentials are not accepted. Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if code == "NoSuchBucket":
        return "there is no such bucket. Check its name, and AWS_ENDPOINT_URL where the server is not Amazon's"
    if code in ("PermanentRedirect", "AuthorizationHeaderMalformed") or status == "301":
        return "the bucket lies in another region. Set AWS_DEFAULT_REGION to it"
    if code == "SlowDown" or status in ("503", "429"):
        return "the server asks to slow down. Lower machine.connections"
    if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError") or status == "403":
        return "reading is forbidden to these credentials (s3:GetObject, s3:ListBucket)"
    return f"the server could not be reached or broke off ({type(error).__name__})"


def _answer(error: Exception) -> tuple[str, str]:
    """HTTP status and S3 error code in obstore's words, which also hold the address: a port or a name may have the same digits."""
    status = re.search(r"status code: (\d{3})\b", str(error))
    code = re.search(r"<Code>(\w+)</Code>", str(error))
    return status[1] if status else "", code[1] if code else ""
