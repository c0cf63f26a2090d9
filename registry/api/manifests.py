"""Pulling, pushing and deleting manifests (end-3, end-7, end-9)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from registry.api.bodies import read_whole
from registry.api.conditions import condition_of, is_unchanged, not_modified
from registry.api.messages import INERT, Answer, Request, always, text, warnings
from registry.api.services import Services
from registry.core.rights import Right
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid, ManifestInvalid, ManifestTooLarge, ManifestUnknown
from registry.oci.names import Tag, parse_reference

# Parsed and hashed in 100 µs at most, which is less than a hop into a thread; nearly all manifests are smaller.
_READ_HERE: Final = 16 * 1024


async def pull(request: Request, registry: Services) -> Answer:
    """GET, and HEAD: the bytes that were pushed, under the type they were pushed with, whatever `Accept` says."""
    reference = _reference(request)
    find = registry.reader.manifest_facts if request.method == "HEAD" else registry.reader.manifest
    manifest = await find(request.name, reference)
    if manifest is None:
        raise ManifestUnknown(reference=str(reference))
    counted = partial(registry.pulls.note, request.name, manifest.digest) if request.method == "GET" else always
    counted()
    if is_unchanged(request, manifest.digest):
        return not_modified(manifest.digest)
    digest = text(manifest.digest)
    headers = (
        (b"content-type", text(manifest.media_type)),
        (b"content-length", text(manifest.size)),
        (b"docker-content-digest", digest),
        (b"etag", b'"' + digest + b'"'),
        *INERT,
    )
    # Asked whenever it is sent again, and counted then too.
    return Answer(200, headers, manifest.content, counted)


async def push(request: Request, registry: Services) -> Answer:
    """PUT, by tag or by digest with any number of tags."""
    reference = parse_reference(request.last)
    tags = [Tag.parse(each) for each in request.parameters("tag")]
    if tags and not isinstance(reference, Digest):
        raise ManifestInvalid(reason="the tag parameter goes with a manifest pushed by digest")
    content = await read_whole(request, registry.manifest_limit, ManifestTooLarge(limit=registry.manifest_limit))
    plan = partial(
        registry.manifests.plan,
        request.name,
        reference,
        content,
        request.header(b"content-type") or "",
        request.by,
        tags=tags,
        condition=replace(
            condition_of(request), may_move=registry.access.granted(request.by, Right.MOVE, request.name)
        ),
    )
    pushed, keep = plan() if len(content) <= _READ_HERE else await registry.in_thread(plan)
    accepted = await registry.transact(keep)
    digest = text(pushed.digest)
    headers = [
        (b"location", text(f"/v2/{request.name}/manifests/{pushed.digest}")),
        (b"docker-content-digest", digest),
        (b"etag", b'"' + digest + b'"'),
        (b"content-length", b"0"),
    ]
    headers += warnings(accepted.notices)
    headers += [(b"oci-tag", text(tag)) for tag in tags]
    if pushed.subject:
        headers.append((b"oci-subject", text(pushed.subject)))
    return Answer(201, headers)


async def delete(request: Request, registry: Services) -> Answer:
    """DELETE: a tag goes alone; a manifest takes its tags along."""
    reference, condition = _reference(request), condition_of(request)
    if isinstance(reference, Digest):
        await registry.in_thread(registry.manifests.delete, request.name, reference, request.by, condition)
    else:
        await registry.in_thread(registry.manifests.delete_tag, request.name, reference, request.by, condition)
    return Answer(202, ((b"content-length", b"0"),))


def _reference(request: Request) -> Tag | Digest:
    """What cannot name a manifest names none: reading asks no more. Raises: ManifestUnknown, NameInvalid."""
    name = request.name
    try:
        return parse_reference(request.last)
    except (DigestInvalid, ManifestInvalid):
        raise ManifestUnknown(repository=str(name), reference=request.last[:200]) from None
