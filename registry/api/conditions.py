"""Conditional requests (RFC 9110, section 13): a digest is the strongest entity tag there can be."""

from __future__ import annotations

from registry.api.messages import Answer, Request, text
from registry.core.manifests import UNCONDITIONAL, Condition
from registry.oci.digest import Digest


def is_unchanged(request: Request, digest: Digest) -> bool:
    """Whether `If-None-Match` names what we would send."""
    header = request.header(b"if-none-match")
    return header is not None and (header.strip() == "*" or str(digest) in _entity_tags(header))


def range_applies(request: Request, digest: Digest) -> bool:
    """Whether `If-Range`, when there, names what we would send; only then is a part of it worth anything."""
    header = request.header(b"if-range")
    return header is None or header.strip() == f'"{digest}"'


def condition_of(request: Request) -> Condition:
    """`If-Match` and `If-None-Match` of a push."""
    match, none_match = request.header(b"if-match"), request.header(b"if-none-match")
    if match is None and none_match is None:
        return UNCONDITIONAL
    return Condition(_listed(match, strongly=True), _listed(none_match, strongly=False))


def not_modified(digest: Digest) -> Answer:
    """304, with what a cache needs to recognise its copy."""
    name = text(digest)
    return Answer(304, ((b"etag", b'"' + name + b'"'), (b"docker-content-digest", name)))


def _listed(header: str | None, *, strongly: bool) -> tuple[str, ...] | None:
    """The condition's form: None without the header, empty for `*`."""
    if header is None:
        return None
    return () if header.strip() == "*" else _entity_tags(header, strongly=strongly)


def _entity_tags(header: str, *, strongly: bool = False) -> tuple[str, ...]:
    """What stands between the quotes; compared strongly, a weak tag equals nothing (RFC 9110, section 8.8.3.2)."""
    each = (tag.strip() for tag in header.split(","))
    return tuple("" if strongly and tag.startswith("W/") else tag.removeprefix("W/").strip('"') for tag in each)
