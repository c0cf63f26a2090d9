"""A registry under measurement, and the two ways of talking to it that do not need to be fast."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import unquote, urlsplit

OURS = "ours"  # the label of this tree's registry
PATIENCE = 120.0  # seconds; a page of 100 000 tags takes some registries long


class WrongAnswer(Exception):
    """A registry answered a status or bytes that it must not answer; nothing measured after that means anything."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a registry listens, which processes are it, and, if we started it, its data folder and how.

    `author` is the authorization of who may push there, where `authorization` may not.
    """

    label: str
    host: str
    port: int
    authorization: str | None = None
    processes: tuple[int, ...] = ()
    storage: Path | None = None
    described: str = ""
    author: str | None = None

    @classmethod
    def parse(cls, url: str) -> Target:
        """From `http://[user:password@]host:port`. Raises: ValueError."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"not a plain http address of a registry: {url}")
        port = parts.port or 80
        credential = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
        basic = "Basic " + base64.b64encode(credential.encode()).decode() if credential else None
        return cls(f"{parts.hostname}:{port}", parts.hostname, port, basic)

    def as_author(self) -> Target:
        """The same, asked by who may push."""
        return replace(self, authorization=self.author or self.authorization)

    @property
    def headers(self) -> dict[str, str]:
        """What every request to it carries."""
        common = {"Host": f"{self.host}:{self.port}"}
        return common | ({"Authorization": self.authorization} if self.authorization else {})

    def connect(self) -> HTTPConnection:
        """A kept connection for preparing and checking."""
        return HTTPConnection(self.host, self.port, timeout=PATIENCE)

    def render(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
        """One request as bytes, for the clients that write to a bare socket."""
        length = {"Content-Length": str(len(body))} if body or method in {"POST", "PUT", "PATCH"} else {}
        lines = [f"{name}: {value}" for name, value in (self.headers | dict(headers or {}) | length).items()]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + body


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `head` holds the headers as on the wire, `length` counts a body even if it was not kept."""

    status: int
    head: bytes
    body: bytes = b""
    length: int = 0

    def header(self, name: str) -> str | None:
        """The first value of that header."""
        found = re.search(rb"\r\n" + re.escape(name.encode()) + rb":[ \t]*([^\r\n]*)", self.head, re.IGNORECASE)
        return found[1].decode("latin-1").strip() if found else None

    def expect(self, status: int, what: str) -> Answer:
        """Itself. Raises: WrongAnswer."""
        if self.status != status:
            raise WrongAnswer(f"{what}: expected {status}, got {self.status} {self.body[:300]!r}")
        return self


def ask(
    target: Target,
    connection: HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    """One request on a kept connection, its body read whole. Raises: WrongAnswer."""
    try:
        connection.request(method, path, body or None, target.headers | dict(headers or {}))
        return answer_on(connection)
    except (OSError, HTTPException) as broken:
        connection.close()
        raise WrongAnswer(f"{target.label}: {method} {path}: {broken!r}") from broken


def answer_on(connection: HTTPConnection) -> Answer:
    """The answer to what was just sent."""
    response = connection.getresponse()
    head = "".join(f"\r\n{name}: {value}" for name, value in response.getheaders())
    return Answer(response.status, head.encode("latin-1"), response.read())


def location_of(answer: Answer, digest: str | None = None) -> str:
    """The path and query an upload goes on at, absolute `Location` or not, closing with `digest` if given."""
    location = answer.header("Location")
    if not location:
        raise WrongAnswer(f"no location in an answer of {answer.status}")
    parts = urlsplit(location)
    query = "&".join(filter(None, [parts.query, f"digest={digest}" if digest else ""]))
    return f"{parts.path}?{query}" if query else parts.path
