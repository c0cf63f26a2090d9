"""Answers that need no waiting: given while the request is still being parsed, with no task, no messages, one write.

    app.at_once(scope)  ──▶  a Reply                      written here and now
                        └─▶  an ASGI application          run as ever: it answers this one request, maybe from half-way

A request without a body whose answer lies in memory costs half as much this way. An application that offers no
`at_once` is served like under any other server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

_BODILESS = (204, 304)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Reply(Protocol):
    """A whole response; to HEAD, `body` is what GET would send or nothing."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]: ...
    @property
    def body(self) -> bytes: ...
    @property
    def holds(self) -> Callable[[], bool] | None:
        """Whether the same request would have the same answer now; None where nobody can tell."""
        ...


class AtOnce(Protocol):
    """What such an application offers; called in the middle of reading, so it must not wait for anything."""

    def __call__(self, scope: dict[str, Any], asked_again: bool, /) -> Reply | ASGI3Application:
        """From the scope of a request without a body, the answer or who gives it.

        Only `asked_again`, after the very same bytes came before, is a reply kept that says how long it holds.
        """
        ...


def fields(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Header fields as they go out."""
    return b"".join(b"%b: %b\r\n" % field for field in headers)


def rendered(reply: Reply, *, is_head: bool) -> tuple[bytes, bytes, int]:
    """The status line, what comes after the server's own fields, and how many bytes of that are the body.

    Raises: ValueError for what HTTP forbids.
    """
    body = b"" if is_head else reply.body
    length = None if is_head or reply.status in _BODILESS else len(body)
    parts: list[bytes] = []
    for name, value in reply.headers:
        if name == b"content-length":
            if length is not None and int(value) != length:
                raise ValueError(f"content-length says {value!r}, the body has {length} bytes")
            length = None
        parts += (name, b": ", value, b"\r\n")
    if _CONTROL.search(b"".join(parts[::4])) or _CONTROL.search(b"".join(parts[2::4])):
        raise ValueError("a header field holds a control character")
    if length is not None:
        parts.append(b"content-length: %d\r\n" % length)
    parts += (b"\r\n", body)
    return STATUS_LINE[reply.status], b"".join(parts), len(body)
