"""Lists that come page by page (distribution-spec, Listing Tags; Listing Referrers): bounded, and none without end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from registry.client.answer import Whole
from registry.client.errors import Malformed, Refused
from registry.client.links import next_page
from registry.client.origin import Origin
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid

LARGEST_PAGE: Final = 32 << 20
_PAGE: Final = 1000
_MOST_PAGES: Final = 100_000
_MOST_ENTRIES: Final = 1_000_000
Reading = Callable[[str], Whole]


def names(read: Reading, target: str, member: str, home: Origin) -> Iterator[str]:
    """Of repositories or tags. Raises: Malformed, and what `read` does."""
    number = 0
    for page in _pages(read, target, home, _PAGE):
        entries = page.get(member) or []
        if not isinstance(entries, list) or not all(isinstance(each, str) for each in entries):
            raise Malformed(f"{target}: {member} is not a list of names")
        number += len(entries)
        _bound(target, number)
        yield from entries


def digests(read: Reading, target: str, home: Origin) -> Iterator[Digest]:
    """Of the descriptors in an index that may have several pages. Raises: likewise."""
    number = 0
    for page in _pages(read, target, home):
        found = digests_of(target, page)
        number += len(found)
        _bound(target, number)
        yield from found


def digests_of(target: str, index: Mapping[str, Any]) -> list[Digest]:
    """Of everything that an index lists. Raises: Malformed."""
    try:
        return [Digest.parse(each["digest"]) for each in index.get("manifests") or ()]
    except (DigestInvalid, KeyError, TypeError):
        raise Malformed(f"{target}: lists something that is not a descriptor") from None


def document(target: str, body: bytes) -> Mapping[str, Any]:
    """A JSON object. Raises: Malformed."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed(f"{target}: is not JSON") from None
    if not isinstance(found, dict):
        raise Malformed(f"{target}: is not a JSON object")
    return found


def _pages(read: Reading, target: str, home: Origin, entries: int | None = None) -> Iterator[Mapping[str, Any]]:
    """`entries` is how many we should like on one."""
    following: str | None = f"{target}?{urlencode({'n': entries})}" if entries else target
    seen: set[str] = set()
    while following:
        seen.add(following)
        try:
            whole = read(following)
        except Refused as error:
            if error.status == 400 and entries and len(seen) == 1:  # noqa: PLR2004  more than it gives at once
                following, entries = target, None
                continue
            raise
        yield document(target, whole.body)
        following = next_page(whole.headers.getlist("Link"), following, home)
        if following in seen or len(seen) >= _MOST_PAGES:
            raise Malformed(f"{target}: its pages come to no end")


def _bound(target: str, number: int) -> None:
    if number > _MOST_ENTRIES:
        raise Malformed(f"{target}: lists more than {_MOST_ENTRIES} entries")
