"""The one table of the distribution API: endpoint, method, handler, and the rights it demands.

A repository's name may hold any endpoint's words (`a/tags/list` is one), so paths are read from their right end, where
each endpoint has a fixed shape.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from registry.api import blobs, discovery, manifests, support, uploads
from registry.api.messages import Answer, Request
from registry.api.services import Services
from registry.core.facts import Action
from registry.core.rights import Right

PREFIX: Final = "/v2/"
_PULL: Final = (Right.PULL,)
_PUSH: Final = (Right.PULL, Right.PUSH)
_DELETE: Final = (Right.DELETE,)

Handler = Callable[[Request, Services], Awaitable[Answer]]


class Endpoint(Enum):
    """The shapes of paths below `/v2/`."""

    BASE = ""
    CATALOG = "_catalog"
    TAGS = "<name>/tags/list"
    MANIFEST = "<name>/manifests/<tag-or-digest>"
    BLOB = "<name>/blobs/<digest>"
    UPLOADS = "<name>/blobs/uploads/"
    UPLOAD = "<name>/blobs/uploads/<session>"
    REFERRERS = "<name>/referrers/<digest>"


@dataclass(frozen=True, slots=True)
class Route:
    """One row: who asks must hold `rights`, on the repository in the path or, where it has none, on the registry.

    `action` is what the audit log calls it when it is refused; reading that is refused is not told of.
    """

    end: str
    endpoint: Endpoint
    method: str
    handler: Handler
    rights: tuple[Right, ...]
    action: Action | None = None


ROUTES: Final = (
    Route("end-1", Endpoint.BASE, "GET", support.base, ()),
    Route("end-2", Endpoint.BLOB, "GET", blobs.pull, _PULL),
    Route("end-2", Endpoint.BLOB, "HEAD", blobs.check, _PULL),
    Route("end-3", Endpoint.MANIFEST, "GET", manifests.pull, _PULL),
    Route("end-3", Endpoint.MANIFEST, "HEAD", manifests.pull, _PULL),
    Route("end-4, end-11", Endpoint.UPLOADS, "POST", uploads.begin, _PUSH, Action.PUSH_BLOB),
    Route("end-5", Endpoint.UPLOAD, "PATCH", uploads.append, _PUSH, Action.PUSH_BLOB),
    Route("end-6", Endpoint.UPLOAD, "PUT", uploads.close, _PUSH, Action.PUSH_BLOB),
    Route("end-7", Endpoint.MANIFEST, "PUT", manifests.push, _PUSH, Action.PUSH_MANIFEST),
    Route("end-8", Endpoint.TAGS, "GET", discovery.tags, _PULL),
    Route("end-9", Endpoint.MANIFEST, "DELETE", manifests.delete, _DELETE, Action.DELETE_MANIFEST),
    Route("end-10", Endpoint.BLOB, "DELETE", blobs.delete, _DELETE, Action.DELETE_BLOB),
    Route("end-12", Endpoint.REFERRERS, "GET", discovery.referrers, _PULL),
    Route("end-13", Endpoint.UPLOAD, "GET", uploads.status, _PUSH),
    Route("end-14", Endpoint.UPLOAD, "DELETE", uploads.cancel, _PUSH, Action.PUSH_BLOB),
    Route("catalog", Endpoint.CATALOG, "GET", discovery.catalog, (Right.CATALOG,)),
)


def _by_endpoint() -> Mapping[Endpoint, Mapping[str, Route]]:
    table: dict[Endpoint, dict[str, Route]] = {each: {} for each in Endpoint}
    for route in ROUTES:
        table[route.endpoint][route.method] = route
    for methods in table.values():
        # HEAD is GET without a body (RFC 9110, section 9.3.2) wherever it has no row of its own.
        if "GET" in methods:
            methods.setdefault("HEAD", methods["GET"])
    return table


BY_ENDPOINT: Final = _by_endpoint()


def locate(path: str) -> tuple[Endpoint, str, str] | None:  # noqa: PLR0911 - one line a shape reads as the table it is
    """The endpoint that a path names, with its repository's name and its last part; None for no endpoint of ours."""
    rest = path.removeprefix(PREFIX)
    if rest == "":
        return Endpoint.BASE, "", ""
    head, _, last = rest.rpartition("/")
    if head.endswith("/manifests"):
        return Endpoint.MANIFEST, head[:-10], last
    if head.endswith("/blobs/uploads"):
        return Endpoint.UPLOAD if last else Endpoint.UPLOADS, head[:-14], last
    if head.endswith("/blobs"):
        # Without its last slash, as some clients write it; no digest is called so.
        return Endpoint.UPLOADS if last == "uploads" else Endpoint.BLOB, head[:-6], last
    if last == "list" and head.endswith("/tags"):
        return Endpoint.TAGS, head[:-5], last
    if head.endswith("/referrers"):
        return Endpoint.REFERRERS, head[:-10], last
    return (Endpoint.CATALOG, "", "") if rest == "_catalog" else None
