"""A large body on its way up: one session of the specification, its bytes handed from a memory file to the socket."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from tests.bench.children import Ready
from tests.bench.material import Blob, Pieces
from tests.bench.target import Answer, Target, WrongAnswer, answer_on, ask, location_of


@dataclass(frozen=True, slots=True)
class Span:
    """Instants of the monotonic clock, which all processes share; `closing` is when the body was acknowledged."""

    began: float
    closing: float
    ended: float


def push_streamed(target: Target, repository: str, blob: Blob, ready: Ready = tuple) -> Span:
    """As docker does: POST, one PATCH of unknown length, an empty PUT (distribution-spec, Pushing a blob in chunks)."""
    connection = _connected(target, ready)
    began = time.monotonic()
    location = _open_session(target, connection, repository)
    chunked = {"Transfer-Encoding": "chunked"}
    patched = upload(target, connection, "PATCH", location, chunked, blob.framed).expect(202, "PATCH of an upload")
    closing = time.monotonic()
    ask(target, connection, "PUT", location_of(patched, blob.digest)).expect(201, "PUT closing an upload")
    return Span(began, closing, time.monotonic())


def push_monolithic(target: Target, repository: str, blob: Blob, ready: Ready = tuple) -> Span:
    """As containerd does: POST, then one PUT of known length (distribution-spec, POST then PUT)."""
    connection = _connected(target, ready)
    began = time.monotonic()
    location = _open_session(target, connection, repository, blob.digest)
    known = {"Content-Length": str(blob.length), "Content-Type": "application/octet-stream"}
    upload(target, connection, "PUT", location, known, blob.pieces).expect(201, "PUT of a blob")
    ended = time.monotonic()
    return Span(began, ended, ended)


def upload(
    target: Target,
    connection: HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str],
    pieces: Pieces,
) -> Answer:
    """One request whose body does not pass through this interpreter. Raises: WrongAnswer."""
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in (target.headers | dict(headers)).items():
            connection.putheader(name, value)
        connection.endheaders()
        _send(connection, pieces)
        return answer_on(connection)
    except (OSError, HTTPException) as broken:
        connection.close()
        raise WrongAnswer(f"{target.label}: {method} {path}: {broken!r}") from broken


def _send(connection: HTTPConnection, pieces: Pieces) -> None:
    connection.sock.settimeout(None)  # sendfile wants a socket that blocks
    for piece in pieces:
        if isinstance(piece, bytes):
            connection.sock.sendall(piece)
            continue
        start, end = piece.start, piece.start + piece.length
        while start < end:
            start += os.sendfile(connection.sock.fileno(), piece.file, start, end - start)


def _connected(target: Target, ready: Ready) -> HTTPConnection:
    connection = target.connect()
    connection.connect()
    ready()
    return connection


def _open_session(target: Target, connection: HTTPConnection, repository: str, digest: str | None = None) -> str:
    opened = ask(target, connection, "POST", f"/v2/{repository}/blobs/uploads/").expect(202, "POST of an upload")
    return location_of(opened, digest)
