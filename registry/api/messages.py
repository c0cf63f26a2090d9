"""A request and an answer, as handlers see them: the ASGI scope read lazily, as the pull path counts microseconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO
from urllib.parse import parse_qsl

from registry.core.facts import Caller
from registry.oci.names import RepositoryName

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]


class Request:
    """One request for an endpoint: `name` and `last` are the two variable parts of its path, already apart."""

    def __init__(self, scope: Scope, receive: Receive, name: str, last: str) -> None:
        self.scope = scope
        self.receive = receive
        self.method: str = scope["method"]
        self.raw_name = name
        self.last = last
        self.caller: Caller | None = None

    @cached_property
    def name(self) -> RepositoryName:
        """Raises: NameInvalid."""
        return RepositoryName.parse(self.raw_name)

    @cached_property
    def headers(self) -> Mapping[bytes, bytes]:
        """By lower-case name; of one that is sent twice, the last."""
        return dict(self.scope["headers"])

    def header(self, name: bytes) -> str | None:
        """A header's value; None when it is not there."""
        value = self.headers.get(name)
        return value.decode("latin-1") if value is not None else None

    @cached_property
    def query(self) -> Sequence[tuple[str, str]]:
        """The parameters in their order; the server bounds the length of a URL, and with it their number."""
        text = self.scope["query_string"].decode("latin-1")
        return parse_qsl(text, keep_blank_values=True) if text else ()

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
        return int(value) if value is not None and value.isdigit() else None

    @property
    def by(self) -> Caller:
        """Who asks; set before any handler runs."""
        assert self.caller is not None  # noqa: S101  the application authenticates first
        return self.caller


@dataclass(frozen=True, slots=True)
class FileBody:
    """`count` bytes of a file from `offset`; the file is closed once they are sent."""

    file: BinaryIO
    offset: int
    count: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; to HEAD, without the body but with its headers."""

    status: int
    headers: Headers = field(default_factory=tuple)
    body: bytes | FileBody = b""


def text(value: object) -> bytes:
    """A header value. What we send is ASCII; anything else of a client's is escaped, never passed through."""
    return str(value).encode("ascii", "backslashreplace")
