"""A request and an answer, as handlers see them: the ASGI scope read lazily, as the pull path counts microseconds."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, NamedTuple
from urllib.parse import parse_qsl

from registry.core.access import Scoped
from registry.core.facts import Caller
from registry.oci.names import RepositoryName

# What people push is served from the origin of our own pages: no browser may take it for one of them.
INERT: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks; `scopes` is what the bearer token was issued for, None for a caller that came without one.

    As long as nothing is committed, it is the same until the instant `until`, in seconds since 1970.
    """

    caller: Caller
    scopes: Sequence[Scoped] | None = None
    until: float = math.inf


class Request:
    """One request for an endpoint: `raw_name` and `last` are the two variable parts of its path, already apart."""

    __slots__ = ("_name", "_query", "headers", "identity", "last", "method", "raw_name", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive, name: str, last: str) -> None:
        self.scope = scope
        self.receive = receive
        self.method: str = scope["method"]
        self.raw_name = name
        self.last = last
        self.headers = _by_name(scope["headers"])
        self.identity: Identity | None = None
        self._name: RepositoryName | None = None
        self._query: Sequence[tuple[str, str]] | None = None

    @property
    def name(self) -> RepositoryName:
        """Raises: NameInvalid."""
        if self._name is None:
            self._name = RepositoryName.parse(self.raw_name)
        return self._name

    def header(self, name: bytes) -> str | None:
        """A header's value, by its lower-case name; None when it is not there."""
        value = self.headers.get(name)
        return value.decode("latin-1") if value is not None else None

    @property
    def query(self) -> Sequence[tuple[str, str]]:
        """The parameters in their order; the server bounds the length of a URL, and with it their number."""
        if self._query is None:
            text = self.scope["query_string"].decode("latin-1")
            self._query = parse_qsl(text, keep_blank_values=True) if text else ()
        return self._query

    def parameter(self, name: str) -> str | None:
        """A query parameter's first value; None when it is not there."""
        return next((value for key, value in self.query if key == name), None)

    def parameters(self, name: str) -> list[str]:
        """All values of a query parameter."""
        return [value for key, value in self.query if key == name]

    @property
    def content_length(self) -> int | None:
        """The announced length of the body; None when it comes in chunks of unknown number."""
        value = self.headers.get(b"content-length")
        if value is None and self._is_bodyless:
            return 0
        return int(value) if value is not None and value.isdigit() else None

    @property
    def _is_bodyless(self) -> bool:
        """Whether no header speaks of a body, which may mean that there is none (RFC 9112, section 6.3)."""
        return self.scope["http_version"] in {"1.0", "1.1"} and b"transfer-encoding" not in self.headers

    @property
    def address(self) -> str:
        """From where it came, as the server or the nearest trusted proxy saw it; empty where nobody did."""
        client = self.scope.get("client")
        return client[0] if client else ""

    @property
    def by(self) -> Caller:
        """Who asks."""
        return self._known.caller

    @property
    def scopes(self) -> Sequence[Scoped] | None:
        """What the caller's token was issued for; None for one who came without a token."""
        return self._known.scopes

    @property
    def _known(self) -> Identity:
        assert self.identity is not None  # noqa: S101  the application authenticates before any handler runs
        return self.identity


@dataclass(frozen=True, slots=True)
class FileBody:
    """`count` bytes of a file from `offset`; the file is closed once they are sent."""

    file: BinaryIO
    offset: int
    count: int


@dataclass(frozen=True, slots=True)
class StreamBody:
    """`count` bytes of a stream that waits for somebody else; closed once they are sent."""

    stream: BinaryIO
    count: int


class Answer(NamedTuple):
    """What is sent back; to HEAD, without the body but with its headers.

    `holds` tells whether the same request would have the same answer still, as far as the database does not tell;
    None where it has to be asked anew. It is asked each time that the answer is about to be sent again.
    """

    status: int
    headers: Headers = ()
    body: bytes | FileBody | StreamBody = b""
    holds: Callable[[], bool] | None = None


def always() -> bool:
    """For an answer that rests on the database alone."""
    return True


def _by_name(pairs: Sequence[tuple[bytes, bytes]]) -> Mapping[bytes, bytes]:
    """Headers by name; lines of one name are one list (RFC 9110, section 5.3)."""
    headers = dict(pairs)
    if len(headers) == len(pairs):
        return headers
    joined: dict[bytes, bytes] = {}
    for name, value in pairs:
        joined[name] = joined[name] + b", " + value if name in joined else value
    return joined


def warnings(notices: Sequence[str]) -> Headers:
    """What is to be told beside an answer that is none the worse for it (RFC 7234, section 5.5.7)."""
    return tuple((b"warning", b'299 - "' + text(each) + b'"') for each in notices)


def text(value: object) -> bytes:
    """A header value. What we send is ASCII; anything else of a client's is escaped, never passed through."""
    return str(value).encode("ascii", "backslashreplace")
