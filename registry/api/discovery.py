"""Content discovery: tags, the catalog, referrers (end-8, end-12), by keyset: a page begins after a name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from registry.api.errors import JSON
from registry.api.messages import Answer, Headers, Request, text
from registry.api.services import Services
from registry.core.facts import Referrer
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid, NameUnknown, PageInvalid
from registry.oci.media_types import OCI_INDEX

# Whatever `n` a client asks for (CVE-2023-2253).
LONGEST_PAGE: Final = 1_000
_MOST_REFERRERS: Final = 1_000
_LITTLE: Final = 64 * 1024
_LONGEST_N: Final = 18


async def tags(request: Request, registry: Services) -> Answer:
    """GET `/v2/<name>/tags/list`."""
    limit = _limit(request, LONGEST_PAGE)
    # One more than asked for: that there is one is all the Link says.
    found = await registry.reader.tags(request.name, request.parameter("last") or "", limit + 1)
    if not found and not await registry.reader.knows(request.name):
        raise NameUnknown(name=str(request.name))
    page = found[:limit]
    document = {"name": str(request.name), "tags": page}
    return _json(document, _next(request, page[-1], limit) if page and len(found) > limit else ())


async def catalog(request: Request, registry: Services) -> Answer:
    """GET `/v2/_catalog`."""
    limit = _limit(request, LONGEST_PAGE)
    visible = registry.access.visible(request.by)
    found = await registry.reader.catalog(request.parameter("last") or "", limit + 1, visible)
    page = found[:limit]
    return _json({"repositories": page}, _next(request, page[-1], limit) if page and len(found) > limit else ())


async def referrers(request: Request, registry: Services) -> Answer:
    """GET `/v2/<name>/referrers/<digest>`: an image index, empty for what nobody refers to or nobody ever pushed."""
    subject = Digest.parse(request.last)
    artifact_type = request.parameter("artifactType") or None
    limit = _limit(request, _MOST_REFERRERS)
    page, has_more = await registry.reader.referrers(request.name, subject, artifact_type, _last_digest(request), limit)
    headers: Headers = ((b"oci-filters-applied", b"artifactType"),) if artifact_type else ()
    if page and has_more:
        headers = (*headers, *_next(request, str(page[-1].digest), limit))
    if sum(len(each.annotations) for each in page) < _LITTLE:
        return _index(page, headers)
    # Megabytes of annotations are copied off the event loop.
    return await registry.in_thread(_index, page, headers)


def _index(page: Sequence[Referrer], headers: Headers) -> Answer:
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [_descriptor(each) for each in page]}
    return _json(document, headers, OCI_INDEX.encode())


def _descriptor(referrer: Referrer) -> dict[str, object]:
    descriptor: dict[str, object] = {
        "mediaType": referrer.media_type,
        "digest": str(referrer.digest),
        "size": referrer.size,
    }
    if referrer.artifact_type:
        descriptor["artifactType"] = referrer.artifact_type
    if referrer.annotations != "{}":
        descriptor["annotations"] = json.loads(referrer.annotations)
    return descriptor


def _limit(request: Request, most: int) -> int:
    """`n`, at most `most`. Raises: PageInvalid."""
    given = request.parameter("n")
    if given is None:
        return most
    if not (given.isascii() and given.isdigit() and len(given) <= _LONGEST_N):
        raise PageInvalid(reason="n is not a number of entries", n=given[:_LONGEST_N])
    return min(int(given), most)


def _last_digest(request: Request) -> Digest | None:
    last = request.parameter("last")
    try:
        return Digest.parse(last) if last else None
    except DigestInvalid:
        raise PageInvalid(reason="last is not a digest", last=last and last[:200]) from None


def _next(request: Request, last: str, limit: int) -> Headers:
    """The next page: the same request, beginning after this one's last entry (RFC 5988)."""
    kept = [(key, value) for key, value in request.query if key not in {"last", "n"}]
    query = urlencode([*kept, ("last", last), ("n", str(limit))])
    return ((b"link", text(f'<{request.scope["path"]}?{query}>; rel="next"')),)


def _json(document: object, headers: Headers = (), content_type: bytes = JSON[1]) -> Answer:
    body = json.dumps(document, separators=(",", ":")).encode()
    return Answer(200, ((b"content-type", content_type), (b"content-length", text(len(body))), *headers), body)
