"""How we speak S3: what an operator sets, the client made of it, and its errors in our words.

NoSuchKey, NoSuchUpload, InvalidPart, …       ObjectLost: the store does not hold what a row says
PreconditionFailed                            AlreadyThere: somebody else wrote the key first
InvalidRange                                  BeyondEnd
NotImplemented                                NotOffered
QuotaExceeded, InsufficientStorage, …         StorageFull
everything else, once all retries are spent   Unavailable: ask again later. A missing bucket too, and keys that
                                              were refused: else every blob would be taken for lost.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from registry.core.ports import ObjectLost
from registry.oci.errors import StorageFull, Unavailable

MIB: Final = 1024 * 1024
RAW_BODY: Final = "RawBody"
"""In the answer to a GetObject, its body as urllib3 has it, which knows the connection that it comes by."""
LEAST_PART: Final = 5 * MIB
"""No part but an upload's last may be smaller (S3, multipart upload limits)."""
_OTHERS: Final = 16
# The library's tables take a while to read, and are not to be read by two threads at once.
_session: Final = functools.cache(boto3.session.Session)
_making: Final = Lock()

_LOST: Final = frozenset({"NoSuchKey", "NoSuchUpload", "InvalidPart", "InvalidPartOrder", "EntityTooSmall"})
# Their 404 has no words. Any other that has none is not the store's but of something in between, which knows nothing of
# objects: to believe it would be to give up blobs that are there.
_WITHOUT_A_BODY: Final = frozenset({"HeadObject", "HeadBucket"})
_WRITTEN_ALREADY: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412"})
_BEYOND: Final = frozenset({"InvalidRange", "416"})
_NOT_OFFERED: Final = frozenset({"NotImplemented", "501"})
_FULL: Final = frozenset({"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "EntityTooLarge"})


class AlreadyThere(Exception):
    """The key has an object, which was not to be replaced."""


class BeyondEnd(Exception):
    """A range that begins where the object has ended."""


class NotOffered(Exception):
    """The store does not know this kind of request."""


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Plain values. Without keys they are found as any AWS client finds them; without an endpoint it is Amazon's.

    `concurrency` bounds the calls of each kind of work: parts on their way up, readers, and all the rest.
    """

    bucket: str
    prefix: str = ""
    region: str | None = None
    endpoint: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    path_style: bool = False
    ca: Path | None = None
    sse: str = ""
    sse_key: str | None = None
    part_size: int = 8 * MIB
    memory: int = 32 * MIB
    """For all parts that gather in one process; what is more gathers in files of `folder`."""
    folder: Path | None = None
    concurrency: int = 8
    readers: int = 64
    redirect: bool = True
    redirect_lifetime: timedelta = timedelta(minutes=20)
    attempts: int = 5
    connect_timeout: float = 5.0
    read_timeout: float = 60.0

    def __post_init__(self) -> None:
        if self.part_size < LEAST_PART:
            raise ValueError(f"a part of {self.part_size} bytes is smaller than S3 takes")

    @property
    def encryption(self) -> dict[str, str]:
        """What each new object is asked to be encrypted with."""
        asked = {"ServerSideEncryption": self.sse, "SSEKMSKeyId": self.sse_key}
        return {name: value for name, value in asked.items() if value}


def new_client(settings: S3Settings) -> Any:  # noqa: ANN401 - the library ships no types
    """A client that any thread may use."""
    config = Config(
        # Else each part carries a checksum trailer that other stores than Amazon's refuse.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # SlowDown, 5xx and connection trouble are asked again, each time later, and by all threads within one budget.
        retries={"mode": "standard", "total_max_attempts": settings.attempts},
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        max_pool_connections=settings.concurrency + settings.readers + _OTHERS,
        tcp_keepalive=True,
        signature_version="s3v4",
        s3={
            "addressing_style": "path" if settings.path_style else "auto",
            # Where TLS does not guard the bytes, the store compares them with a sum; to make it costs a second hash.
            "payload_signing_enabled": (settings.endpoint or "").startswith("http://"),
        },
    )
    with _making:
        client = _session().client("s3", **_who_and_where(settings), config=config)
    client.meta.events.register("before-sign.s3.DeleteObjects", _add_md5)
    client.meta.events.register("after-call.s3.GetObject", _add_raw_body)
    return client


def _who_and_where(settings: S3Settings) -> dict[str, object]:
    return {
        # The signature needs one, also where the store knows no regions.
        "region_name": settings.region or ("us-east-1" if settings.endpoint else None),
        "endpoint_url": settings.endpoint,
        "aws_access_key_id": settings.access_key,
        "aws_secret_access_key": settings.secret_key,
        "verify": str(settings.ca) if settings.ca else None,
    }


_MEANINGS: Final[tuple[tuple[frozenset[str], type[Exception]], ...]] = (
    (_LOST, ObjectLost),
    (_WRITTEN_ALREADY, AlreadyThere),
    (_BEYOND, BeyondEnd),
    (_NOT_OFFERED, NotOffered),
)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """See the table at the head. Raises: ObjectLost, AlreadyThere, BeyondEnd, NotOffered, StorageFull, Unavailable."""
    try:
        yield
    except ClientError as error:
        raise _in_our_words(error, what) from error
    except (BotoCoreError, OSError) as error:
        raise Unavailable from error


def _in_our_words(error: ClientError, what: str) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code == "404" and error.operation_name in _WITHOUT_A_BODY:
        return ObjectLost(what)
    for codes, meaning in _MEANINGS:
        if code in codes:
            return meaning(what)
    return StorageFull() if code in _FULL else Unavailable()


def _add_md5(request: Any, **_: object) -> None:  # noqa: ANN401 - the library ships no types
    """The body of a DeleteObjects has to be summed, and older stores know no other sum than this."""
    if "Content-MD5" not in request.headers:
        summed = hashlib.md5(request.data, usedforsecurity=False).digest()
        request.headers["Content-MD5"] = base64.b64encode(summed).decode()


def _add_raw_body(http_response: Any, parsed: dict[str, Any], **_: object) -> None:  # noqa: ANN401 - as above
    parsed[RAW_BODY] = http_response.raw
