"""Pulling, checking and deleting blobs (end-2, end-10)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from registry.api.conditions import is_unchanged, not_modified, range_applies
from registry.api.errors import refusal
from registry.api.messages import INERT, Answer, FileBody, Headers, Request, StreamBody, text
from registry.api.services import Services
from registry.core.facts import ObjectKey, StoredBlob
from registry.core.ports import ObjectLost
from registry.core.rights import Right
from registry.oci.digest import Digest
from registry.oci.errors import BlobUnknown, ErrorCode
from registry.oci.ranges import Span, Unsatisfiable, parse_range

T = TypeVar("T")

_EMPTY: Final = (b"content-length", b"0")
# Up to here one read and one write are cheaper than asking the kernel to send the file (design §6).
_SMALL_READ: Final = 64 * 1024


async def pull(request: Request, registry: Services) -> Answer:
    """GET: the blob or a part of it."""
    digest = Digest.parse(request.last)
    return await _served(request, registry, digest, lambda blob: _content(request, registry, blob))


async def check(request: Request, registry: Services) -> Answer:
    """HEAD: whether it is there, for long enough that somebody who was about to push it need not."""
    digest = Digest.parse(request.last)
    return await _served(request, registry, digest, lambda blob: _existence(request, registry, blob))


async def delete(request: Request, registry: Services) -> Answer:
    """DELETE: gone from this repository with the next request."""
    await registry.in_thread(registry.blobs.delete, request.name, Digest.parse(request.last), request.by)
    return Answer(202, ((b"content-length", b"0"),))


async def _served(
    request: Request, registry: Services, digest: Digest, answer: Callable[[StoredBlob], Coroutine[Any, Any, Answer]]
) -> Answer:
    while True:
        blob = await _find(request, registry, digest)
        try:
            return await answer(blob)
        except ObjectLost:
            assert blob.key is not None  # noqa: S101  only objects can be lost
            # Unless it was pushed again a moment ago, and the row names another object by now, it is found no more.
            await registry.in_thread(registry.blobs.mark_damaged, request.name, digest, blob.key, request.by)


async def _find(request: Request, registry: Services, digest: Digest) -> StoredBlob:
    blob = await registry.reader.blob(request.name, digest)
    if blob is None:
        raise BlobUnknown(digest=str(digest))
    return blob


async def _existence(request: Request, registry: Services, blob: StoredBlob) -> Answer:
    # Where to ask costs a journey, nobody is kept waiting for it: GET and the scrubber find what is lost.
    if blob.key is not None and registry.store.is_prompt and registry.store.size(blob.key) != blob.size:
        raise ObjectLost(blob.key)
    due = None
    if registry.access.allows(request.by, Right.PUSH, request.name, request.scopes):
        due = registry.blobs.due(blob)
        if due < datetime.now(UTC):
            await registry.in_thread(registry.blobs.renew, request.name, blob.digest)
    if is_unchanged(request, blob.digest):
        return not_modified(blob.digest)
    return Answer(200, _headers(blob, blob.size), holds=_while(registry, blob, due))


def _while(registry: Services, blob: StoredBlob, due: datetime | None = None) -> Callable[[], bool]:
    """Whether the object is there still, and whoever may push need not have its lease renewed."""
    key, size, until = blob.key, blob.size, due.timestamp() if due else math.inf

    def holds() -> bool:
        is_there = key is None or not registry.store.is_prompt or registry.store.size(key) == size
        return time.time() < until and is_there

    return holds


async def _content(request: Request, registry: Services, blob: StoredBlob) -> Answer:
    if is_unchanged(request, blob.digest):
        return not_modified(blob.digest)
    try:
        span = parse_range(request.header(b"range"), blob.size) if range_applies(request, blob.digest) else None
    except Unsatisfiable:
        return _unsatisfiable(blob)
    if blob.key is not None and (url := _elsewhere(request, registry, blob.key)):
        return Answer(307, ((b"location", text(url)), (b"docker-content-digest", text(blob.digest)), _EMPTY))
    part = span or Span(0, blob.size)
    body = await _body(registry, blob, part)
    headers = _headers(blob, part.length)
    holds = _while(registry, blob)
    if span is None:
        return Answer(200, headers, body, holds)
    return Answer(206, (*headers, (b"content-range", text(span.content_range(blob.size)))), body, holds)


def _elsewhere(request: Request, registry: Services, key: ObjectKey) -> str | None:
    """Where this client may fetch the object itself, for the store's bandwidth instead of ours."""
    agent = request.header(b"user-agent") or ""
    return None if any(word in agent for word in registry.not_redirected) else registry.store.url(key)


async def _body(registry: Services, blob: StoredBlob, part: Span) -> bytes | FileBody | StreamBody:
    """Raises: ObjectLost when the object is missing or short."""
    if blob.content is not None:
        return blob.content[part.start : part.start + part.length]
    assert blob.key is not None  # noqa: S101  only objects can be lost
    if not registry.store.is_prompt:
        # It would be no use to find out first that it is there: what the store then sends tells it as well.
        return StreamBody(await registry.in_thread(registry.store.open, blob.key, part.start), part.length)
    if part.length <= _SMALL_READ:
        return _read(registry, blob.key, part)
    if registry.store.size(blob.key) != blob.size:
        raise ObjectLost(blob.key)
    return FileBody(registry.store.open(blob.key), part.start, part.length)


def _read(registry: Services, key: ObjectKey, part: Span) -> bytes:
    data = registry.store.pread(key, part.start, part.length)
    if len(data) != part.length:
        raise ObjectLost(key)
    return data


def _headers(blob: StoredBlob, length: int) -> Headers:
    digest = text(blob.digest)
    return (
        (b"content-type", b"application/octet-stream"),
        (b"content-length", text(length)),
        (b"docker-content-digest", digest),
        (b"etag", b'"' + digest + b'"'),
        (b"accept-ranges", b"bytes"),
        *INERT,
    )


def _unsatisfiable(blob: StoredBlob) -> Answer:
    headers = ((b"content-range", text(f"bytes */{blob.size}")),)
    return refusal(416, ErrorCode.SIZE_INVALID, "range lies outside the blob", {"size": blob.size}, headers)
