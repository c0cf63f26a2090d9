"""The push conversation with a hand on the socket: stop in the middle of a body, leave before the answer, come back.

upload = Upload.begin(address, "faults/app")        POST
half = upload.opened("PATCH", length=1000)          PATCH, the head only
half.send(b"x" * 500)                               ... and half the body; then half.vanish(), or a second connection
upload.offset()                                     GET of the session
upload.close(digest, rest)                          PUT
"""

import contextlib
import hashlib
import http.client
import itertools
import json
import re
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlsplit

from tests.support.server import HOST, RunningServer

PATIENCE = 60.0

Address = tuple[str, int]


def address_of(server: RunningServer) -> Address:
    return HOST, server.port


@dataclass(frozen=True)
class Answer:
    """What the server said: the status, its headers by lower-case name, the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error_codes(self) -> list[str]:
        """The codes of the error body (distribution-spec, Error Codes); a body of another shape fails the test."""
        return [error["code"] for error in json.loads(self.body)["errors"]]

    def expect(self, *statuses: int) -> Self:
        assert self.status in statuses, f"{self.status} instead of {statuses}: {dict(self.headers)} {self.body[:500]!r}"
        return self


class OpenRequest:
    """A request whose head is sent and whose body is not, or not wholly; leaving its `with` closes the connection."""

    def __init__(self, address: Address, method: str, target: str, headers: Mapping[str, str]) -> None:
        self.connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
        self.connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            self.connection.putheader(name, value)
        self.connection.endheaders()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(self, data: bytes) -> None:
        self.connection.send(data)

    def send_chunk(self, data: bytes) -> None:
        """One chunk of a body of unknown length; the empty one ends it."""
        self.connection.send(b"%x\r\n%b\r\n" % (len(data), data))

    def answer(self) -> Answer:
        """Read the answer and leave. Raises: OSError or HTTPException when the server left first."""
        with contextlib.closing(self.connection):
            response = self.connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def hang_up(self) -> None:
        """Close in good order, though too early."""
        self.connection.close()

    def vanish(self) -> None:
        """Drop the connection the hard way, with a RST: what a killed client and a broken network look like."""
        sock = self.connection.sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def ask(
    address: Address, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Answer:
    """One request on a connection of its own."""
    length = {"Content-Length": str(len(body))} if body or method in {"POST", "PUT", "PATCH"} else {}
    request = OpenRequest(address, method, target, {**length, **(headers or {})})
    # A server that refuses early may have left before the body was read: its answer is there all the same.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        request.send(body)
    return request.answer()


@dataclass(frozen=True)
class Upload:
    """An upload session as its client knows it; `at` gives the same session seen through another server.

    Ours keeps its Location for life, so the one of the POST is used throughout, as a client does that was cut off.
    """

    address: Address
    location: str

    @classmethod
    def begin(cls, address: Address, repository: str) -> Self:
        answer = ask(address, "POST", f"/v2/{repository}/blobs/uploads/").expect(202)
        return cls(address, _target(answer.headers["location"]))

    def at(self, address: Address) -> Self:
        return replace(self, address=address)

    def opened(self, method: str, length: int, digest: str = "", start: int | None = None) -> OpenRequest:
        """Send the head of a PATCH or of the closing PUT that announces `length` bytes."""
        headers = {"Content-Length": str(length), "Content-Type": "application/octet-stream"}
        if start is not None:
            headers["Content-Range"] = f"{start}-{start + length - 1}"
        return OpenRequest(self.address, method, self._target(digest), headers)

    def opened_stream(self) -> OpenRequest:
        """Send the head of a PATCH that announces no length."""
        headers = {"Transfer-Encoding": "chunked", "Content-Type": "application/octet-stream"}
        return OpenRequest(self.address, "PATCH", self._target(), headers)

    def patch(self, data: bytes, start: int | None = None) -> Answer:
        request = self.opened("PATCH", len(data), start=start)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            request.send(data)
        return request.answer()

    def stream(self, chunks: Iterable[bytes]) -> Answer:
        """A PATCH of unknown length, as docker sends a layer."""
        request = self.opened_stream()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for chunk in itertools.chain(chunks, [b""]):
                request.send_chunk(chunk)
        return request.answer()

    def close(self, digest: str, data: bytes = b"") -> Answer:
        return ask(self.address, "PUT", self._target(digest), {"Content-Type": "application/octet-stream"}, data)

    def status(self) -> Answer:
        return ask(self.address, "GET", self._target())

    def offset(self) -> int:
        """How many bytes the registry has, as its `Range` says; `0-0` is none as well as one, so never ask then."""
        last = re.fullmatch(r"0-(\d+)", self.status().expect(204).headers["range"])
        assert last is not None
        return 0 if last[1] == "0" else int(last[1]) + 1

    def _target(self, digest: str = "") -> str:
        if not digest:
            return self.location
        return f"{self.location}{'&' if '?' in self.location else '?'}digest={digest}"


def push_blob(address: Address, repository: str, data: bytes) -> str:
    """Push as most clients do, POST and PUT; the digest."""
    digest = sha256(data)
    Upload.begin(address, repository).close(digest, data).expect(201)
    return digest


def get_blob(address: Address, repository: str, digest: str) -> Answer:
    return ask(address, "GET", f"/v2/{repository}/blobs/{digest}")


def head_blob(address: Address, repository: str, digest: str) -> Answer:
    return ask(address, "HEAD", f"/v2/{repository}/blobs/{digest}")


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def slices(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _target(location: str) -> str:
    """The path and query of a Location, relative or not."""
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
