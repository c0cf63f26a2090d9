"""A client that sees bytes: what a connection carries, response after response."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field
from typing import Self

PATIENCE = 20.0


@dataclass
class Answer:
    """One response as it was on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    interim: list[int] = field(default_factory=list)


class Wire:
    """One connection to a server under test."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        self.buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, *pieces: bytes) -> None:
        self.sock.sendall(b"".join(pieces))

    def send_byte_by_byte(self, data: bytes) -> None:
        for index in range(len(data)):
            self.sock.sendall(data[index : index + 1])

    def get(self, target: str, *headers: str, method: str = "GET") -> Answer:
        self.send(head(method, target, *headers))
        return self.answer(method)

    def answer(self, method: str = "GET") -> Answer:
        """Read one response, 1xx before it included. Raises: EOFError, ConnectionError."""
        interim: list[int] = []
        while True:
            lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            status = int(lines[0].split()[1])
            if status >= 200:
                break
            interim.append(status)
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
        return Answer(status, headers, self._body(method, status, headers), interim)

    def _body(self, method: str, status: int, headers: dict[str, str]) -> bytes:
        if method == "HEAD" or status in (204, 304):
            return b""
        if headers.get("transfer-encoding") == "chunked":
            return self._chunks()
        return self._exactly(int(headers["content-length"]))

    def _chunks(self) -> bytes:
        whole = []
        while size := int(self._until(b"\r\n"), 16):
            whole.append(self._exactly(size))
            assert self._exactly(2) == b"\r\n"
        assert self._exactly(2) == b"\r\n"
        return b"".join(whole)

    def read(self, count: int) -> bytes:
        return self._exactly(count)

    def rest(self) -> bytes:
        """Everything up to the server's closing. Raises: ConnectionResetError."""
        while data := self.sock.recv(1 << 16):
            self.buffer += data
        rest, self.buffer = self.buffer, b""
        return rest

    def is_closed(self) -> bool:
        """Whether nothing but the server's closing follows, orderly or by a reset."""
        try:
            return self.rest() == b""
        except ConnectionResetError:
            return True

    def reset(self) -> None:
        """Go without a word: the server's next segment meets a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self._more()
        found, self.buffer = self.buffer.split(mark, 1)
        return found + mark

    def _exactly(self, count: int) -> bytes:
        pieces, missing = [self.buffer], count - len(self.buffer)
        while missing > 0:
            data = self.sock.recv(min(missing, 1 << 20))
            if not data:
                raise EOFError(f"the server closed {missing} bytes early")
            pieces.append(data)
            missing -= len(data)
        whole = b"".join(pieces)
        self.buffer = whole[count:]
        return whole[:count]

    def _more(self) -> None:
        data = self.sock.recv(1 << 16)
        if not data:
            raise EOFError(f"the server closed after {self.buffer!r}")
        self.buffer += data


def head(method: str, target: str, *headers: str) -> bytes:
    """A request's head, Host included."""
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: registry.test", *headers, "", ""]).encode("latin-1")


def chunked(*chunks: bytes) -> bytes:
    """A body in chunks."""
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
