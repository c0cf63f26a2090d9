"""Pushing blobs (end-4, end-5, end-6, end-11, end-13, end-14): the requests around an upload session."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from typing import Final

from registry.api.bodies import pieces, read_whole
from registry.api.errors import render
from registry.api.messages import Answer, Headers, Request, text, warnings
from registry.api.services import Services
from registry.core.access import Demand, ScopeMissing
from registry.core.facts import SMALL
from registry.core.quota import Accepted
from registry.core.reception import Reception
from registry.core.rights import Right
from registry.oci.digest import Digest, is_algorithm
from registry.oci.errors import (
    DigestInvalid,
    NameInvalid,
    QuotaExceeded,
    RegistryError,
    SizeInvalid,
    Unavailable,
    UploadInvalid,
    UploadUnknown,
)
from registry.oci.names import RepositoryName
from registry.oci.ranges import Span, parse_chunk, received

_MOST_TO_LOSE: Final = 256 << 20
_EMPTY: Final = (b"content-length", b"0")


async def begin(request: Request, registry: Services) -> Answer:
    """POST: mount, push whole, or open a session."""
    mount, digest = request.parameter("mount"), request.parameter("digest")
    if mount is not None:
        mounted = await registry.in_thread(_mounted, request, registry, Digest.parse(mount))
        if mounted:
            return _created(request, Digest.parse(mount), mounted)
    if digest is not None and mount is None:
        return await _push_whole(request, registry, Digest.parse(digest))
    algorithm = request.parameter("digest-algorithm") or "sha256"
    if not is_algorithm(algorithm):
        raise DigestInvalid(algorithm=algorithm[:64])
    uuid, begun = await registry.transact(registry.uploads.beginning(request.name, request.by, algorithm))
    least = registry.store.least_chunk
    wish: Headers = ((b"oci-chunk-min-length", text(least)),) if least else ()
    return Answer(202, (*warnings(begun.notices), *_session(request, uuid, 0), *wish, _EMPTY))


async def append(request: Request, registry: Services) -> Answer:
    """PATCH: the next chunk, or all of it streamed."""
    return await _telling_where_to_continue(request, registry, _append(request, registry))


async def close(request: Request, registry: Services) -> Answer:
    """PUT: the last chunk, or all of it, or nothing more; the blob is served from the answer on."""
    return await _telling_where_to_continue(request, registry, _close(request, registry))


async def status(request: Request, registry: Services) -> Answer:
    """GET: where to continue."""
    offset = await registry.in_thread(registry.uploads.offset, request.name, request.last, request.by)
    return Answer(204, _session(request, request.last, offset))


async def cancel(request: Request, registry: Services) -> Answer:
    """DELETE: the session and its bytes are given up."""
    await registry.in_thread(registry.uploads.cancel, request.name, request.last, request.by)
    return Answer(204)


def _mounted(request: Request, registry: Services, digest: Digest) -> Accepted | None:
    """Serve it here from another repository; None of a mount that cannot be done, which is no error.

    Raises: ScopeMissing where the caller may read a source that its token was not issued for; QuotaExceeded, because
    there would be no more room for the bytes themselves.
    """
    source = _source(request, registry, digest)
    return registry.blobs.mount(request.name, digest, source, request.by) if source else None


def _source(request: Request, registry: Services, digest: Digest) -> RepositoryName | None:
    """What `from` names, if the caller may pull from it; without `from`, whatever the caller may pull it from.

    To answer 201 for anything else is CVE-2024-39897, and to say why not would tell what exists.
    """
    access, caller = registry.access, request.by
    origin = request.parameter("from")
    if origin:
        try:
            source = RepositoryName.parse(origin)
        except NameInvalid:
            return None
        return source if access.granted(caller, Right.PULL, source) else None
    scoped = registry.blobs.find_source(digest, lambda name: access.allows(caller, Right.PULL, name, request.scopes))
    if scoped is None and request.scopes is not None:
        wider = registry.blobs.find_source(digest, lambda name: access.granted(caller, Right.PULL, name))
        if wider is not None:
            raise ScopeMissing(Demand((Right.PULL,), wider))
    return scoped


async def _push_whole(request: Request, registry: Services, digest: Digest) -> Answer:
    """A single POST (end-4b)."""
    length = request.content_length
    if length is not None and length <= SMALL:
        content = await read_whole(request, SMALL, SizeInvalid())
        put = registry.uploads.putting_small(request.name, None, request.by, digest, content)
        return _created(request, digest, await registry.transact(put))
    uuid, begun = await registry.transact(registry.uploads.beginning(request.name, request.by, digest.algorithm))
    try:
        created = await _receive_and_commit(request, registry, uuid, None, digest)
        return created._replace(headers=(*warnings(begun.notices), *created.headers))
    except BaseException as error:
        # Nobody was told the session's name: what it holds is of no use to anyone.
        await _end(request, registry, uuid)
        if isinstance(error, UploadUnknown):
            # Not of a session that the client knows of: the store has lost what it took, and may take it once more.
            raise Unavailable from error
        raise


async def _end(request: Request, registry: Services, uuid: str) -> None:
    with suppress(RegistryError):
        await registry.in_thread(registry.uploads.cancel, request.name, uuid, request.by)


async def _append(request: Request, registry: Services) -> Answer:
    chunk = _chunk(request)
    length = chunk.length if chunk else request.content_length
    parts = request.name, request.last, request.by, chunk, None, length
    reception = await registry.in_thread(registry.uploads.receive, *parts)
    try:
        await _pour(request, registry, reception, chunk, is_resumable=chunk is None)
        offset = await registry.in_thread(reception.acknowledge)
    finally:
        registry.in_thread.later(reception.close)
    return Answer(202, (*_session(request, request.last, offset), _EMPTY))


async def _close(request: Request, registry: Services) -> Answer:
    digest = Digest.parse(request.parameter("digest") or "")
    chunk = _chunk(request)
    length = request.content_length
    if chunk is None and length is not None and length <= SMALL:
        return await _close_small(request, registry, digest)
    return await _receive_and_commit(request, registry, request.last, chunk, digest)


async def _close_small(request: Request, registry: Services, digest: Digest) -> Answer:
    content = await read_whole(request, SMALL, SizeInvalid())
    parts = request.name, request.last, request.by, digest, content
    try:
        put = await registry.transact(registry.uploads.putting_small(*parts))
        put = put or await registry.in_thread(registry.uploads.close_begun, *parts)
    except UploadUnknown:
        return await _already_closed(request, registry, digest)
    except QuotaExceeded:
        await _end(request, registry, request.last)
        raise
    return _created(request, digest, put)


async def _receive_and_commit(
    request: Request, registry: Services, uuid: str, chunk: Span | None, digest: Digest
) -> Answer:
    length = chunk.length if chunk else request.content_length
    parts = request.name, uuid, request.by, chunk, digest, length
    try:
        reception = await registry.in_thread(registry.uploads.receive, *parts)
    except UploadUnknown:
        return await _already_closed(request, registry, digest)
    try:
        await _pour(request, registry, reception, chunk)
        put = await registry.in_thread(reception.commit, digest, request.by)
    finally:
        registry.in_thread.later(reception.close)
    return _created(request, digest, put)


async def _already_closed(request: Request, registry: Services, digest: Digest) -> Answer:
    """The same closing PUT again, after its first 201 was lost: 201 again (design §5). Raises: UploadUnknown."""
    committed = await registry.in_thread(registry.uploads.finished, request.name, request.last, request.by)
    if committed != digest:
        raise UploadUnknown(upload=request.last[:64])
    return _created(request, digest)


async def _pour(
    request: Request, registry: Services, reception: Reception, chunk: Span | None, *, is_resumable: bool = False
) -> None:
    """The body into the session. What arrived before a client went away is made durable, for it to continue.

    Of a chunk, the same goes for every 256 MiB: its client may be back before we have noticed that it left.
    """
    begin_offset = durable = reception.offset
    with registry.memory as memory:
        try:
            async for chunks in pieces(request, memory.piece):
                await registry.in_thread(reception.append, chunks)
                if is_resumable and reception.offset - durable >= _MOST_TO_LOSE:
                    durable = await registry.in_thread(reception.acknowledge)
        except ConnectionError:
            await registry.in_thread(reception.acknowledge)
            raise
    if chunk is not None and reception.offset - begin_offset != chunk.length:
        await registry.in_thread(reception.give_back)
        raise SizeInvalid(announced=chunk.length, received=reception.offset - begin_offset)


async def _telling_where_to_continue(request: Request, registry: Services, work: Awaitable[Answer]) -> Answer:
    """A refusal that leaves the session usable says where it stands: regclient and others go on from there."""
    try:
        return await work
    except RegistryError as error:
        return render(error, await _where_to_continue(request, registry))


async def _where_to_continue(request: Request, registry: Services) -> Headers:
    try:
        offset = await registry.in_thread(registry.uploads.peek, request.name, request.last, request.by)
    except Unavailable:
        # What went wrong before this is what the client is to hear of.
        return ()
    return () if offset is None else _session(request, request.last, offset)


def _chunk(request: Request) -> Span | None:
    """`Content-Range` of a chunk, which must agree with `Content-Length`. Raises: UploadInvalid, SizeInvalid."""
    header = request.header(b"content-range")
    if header is None:
        return None
    chunk = parse_chunk(header)
    if chunk is None:
        # `0--1` is how some clients announce that there is nothing more.
        if request.content_length == 0:
            return None
        raise UploadInvalid(reason="invalid Content-Range", range=header[:100])
    length = request.content_length
    if length is not None and length != chunk.length:
        raise SizeInvalid(announced=chunk.length, length=length)
    return chunk


def _session(request: Request, uuid: str, offset: int) -> Headers:
    return (
        (b"location", text(f"/v2/{request.name}/blobs/uploads/{uuid}")),
        (b"range", text(received(offset))),
        (b"docker-upload-uuid", text(uuid)),
    )


def _created(request: Request, digest: Digest, accepted: Accepted | None = None) -> Answer:
    headers = (
        *warnings(accepted.notices if accepted else ()),
        (b"location", text(f"/v2/{request.name}/blobs/{digest}")),
        (b"docker-content-digest", text(digest)),
        _EMPTY,
    )
    return Answer(201, headers)
