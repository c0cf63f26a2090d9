"""Where a request ends.

Two readers of one connection that disagree about it can be made to see different requests, so everything that has been
read in two ways before is refused, and the connection closed with it.

llhttp, as httptools drives it, refuses by itself (the tests hold it to that): Content-Length that is repeated, signed,
empty, listed, too large or beside Transfer-Encoding; chunk sizes with a sign, a prefix, space or overflow; folded
lines; a bare CR or LF; control characters, NUL included; a space before the colon. What it takes and RFC 9112 does not
is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TOLD_ONCE = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
# Every host and port (RFC 3986, 3.2.2), and nothing that would end the authority of a URL; it may be empty.
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:%\[\]-]*")
HEAD_TOO_LARGE = "the header fields are too large"


class Refusal(Exception):
    """A request answered with `status` before any application sees it; nothing after it is read."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def framing(version: str, headers: Iterable[tuple[bytes, bytes]], limit: int) -> tuple[int | None, bool]:
    """How many bytes follow (RFC 9112, 6.3), None when they come in chunks; and whether they wait for a 100.

    Names are lower case, values trimmed. Raises: Refusal.
    """
    told: dict[bytes, bytes] = {}
    size = 0
    for name, value in headers:
        size += len(name) + len(value) + 4
        if name in _TOLD_ONCE:
            if name in told:
                raise Refusal(400, f"more than one {name.decode()} field")
            told[name] = value
    if size > limit:
        raise Refusal(431, HEAD_TOO_LARGE)
    length = _length(version, told)
    # A client of HTTP/1.0 does not know what 100 means.
    return length, length != 0 and version == "1.1" and told.get(b"expect", b"").lower() == b"100-continue"


def _length(version: str, told: dict[bytes, bytes]) -> int | None:
    if version not in ("1.0", "1.1"):
        raise Refusal(505, f"HTTP/{version} is not spoken here")
    if version == "1.1" and b"host" not in told:
        raise Refusal(400, "no host field")
    if not _HOST.fullmatch(told.get(b"host", b"")):
        raise Refusal(400, "invalid host field")
    if b"transfer-encoding" in told:
        _check_chunked(version, told)
        return None
    length = told.get(b"content-length", b"0")
    # bytes.isdigit knows ASCII digits only; int() alone would take signs, spaces and underscores.
    if not length.isdigit():
        raise Refusal(400, "content-length is not a number")
    return int(length)


def _check_chunked(version: str, told: dict[bytes, bytes]) -> None:
    # RFC 9112, 6.1: HTTP/1.0 does not know the field, so a proxy before us may have measured the body otherwise.
    if version == "1.0":
        raise Refusal(400, "transfer-encoding in an HTTP/1.0 request")
    if b"content-length" in told:
        raise Refusal(400, "transfer-encoding beside content-length")
    if told[b"transfer-encoding"].lower() != b"chunked":
        raise Refusal(400, "transfer-encoding other than chunked")
