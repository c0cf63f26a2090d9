"""A proxy in front of a real PostgreSQL, for the moment that no test could hit: between a COMMIT and its answer.

with CommitCutter(url) as cutter:
    cutter.cut_next_commit(reaches_the_server=True)
    PostgresMetadata(cutter.url)
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from tests.support.server import HOST

_PIECE = 1 << 16
# The one message by which every driver says it without preparing it first.
_COMMIT = b"COMMIT\0"


class CommitCutter:
    """Passes on what comes to the server's Unix socket, but for the commit that is to be cut off."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self._listener = socket.create_server((HOST, 0))
        self.url = f"postgresql://postgres@{HOST}:{self._listener.getsockname()[1]}{parts.path}"
        self.was_cut = threading.Event()
        self._reaches: bool | None = None
        self._lock = threading.Lock()

    def cut_next_commit(self, *, reaches_the_server: bool) -> None:
        """The connection that sends it ends; either the server has never heard of it, or its answer is lost."""
        with self._lock:
            self._reaches = reaches_the_server
            self.was_cut.clear()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        with client, server, suppress(OSError):
            server.connect(self._socket)
            threading.Thread(target=_pass_on, args=(server, client), daemon=True).start()
            while data := client.recv(_PIECE):
                if data.endswith(_COMMIT) and (reaches := self._take_order()) is not None:
                    self._cut(client, server, data if reaches else b"")
                    return
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _take_order(self) -> bool | None:
        with self._lock:
            reaches, self._reaches = self._reaches, None
            return reaches

    def _cut(self, client: socket.socket, server: socket.socket, last: bytes) -> None:
        # Nobody reads there any more: what the server answers goes nowhere.
        client.shutdown(socket.SHUT_RDWR)
        if last:
            server.sendall(last)
            # No more comes, so it ends once it has done what it was told.
            server.shutdown(socket.SHUT_WR)
        else:
            server.shutdown(socket.SHUT_RDWR)
        self.was_cut.set()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_PIECE):
            with suppress(OSError):
                # Also when nobody is there any more: a server that cannot speak would not listen either.
                target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
