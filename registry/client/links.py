"""`Link: </v2/_catalog?last=x>; rel="next"` (RFC 8288): where a listing goes on, which is always where it began."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urljoin, urlsplit

from registry.client.errors import Malformed, harmless
from registry.client.origin import Origin

_LINK: Final = re.compile(r"<([^<>]*)>([^<]*)")
_NEXT: Final = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\b)', re.IGNORECASE)


def next_page(headers: Iterable[str], target: str, home: Origin) -> str | None:
    """Path and query of the page after `target`, which is a path and a query too. Raises: Malformed."""
    links = (found for header in headers for found in _LINK.finditer(header))
    link = next((found[1].strip() for found in links if _NEXT.search(found[2])), None)
    if link is None:
        return None
    try:
        url = urljoin(f"{home}{target}", link)
        origin, parts = Origin.of(url), urlsplit(url)
    except ValueError as error:
        raise Malformed(f"{target}: goes on at {error}") from None
    # Behind a proxy, scheme and port are often those of the inside: a request goes to where we were sent in any case.
    if origin.host != home.host or not parts.path.startswith("/v2/"):
        raise Malformed(f"{target}: goes on at {harmless(link)}, which is not of this registry")
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
