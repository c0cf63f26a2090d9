"""A request's body on its way from the parser to the application.

    parser -- feed --> [ chunks, at most `ceiling` ] -- gather, receive --> application
                         full: reading pauses           emptied: reading resumes

Stock ASGI wakes the application for every 64 KiB. `gather` wakes it once per `limit` bytes; while the application's
worker hashes those, the next `limit` bytes arrive, so an upload holds two limits and what one read of the socket adds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

CEILING = 64 * 1024
"""What is buffered while the application has not said how much it wants at once."""
_CRUMB = 1024
_LOAF = 64 * 1024


class ClientDisconnected(ConnectionError):
    """The client went away before its request's body ended.

    An application that knows this server only through the ASGI scope catches `ConnectionError`, or asks for
    `client_disconnected`.
    """

    client_disconnected: ClassVar[bool] = True


class RequestBody:
    """One request's body: what has arrived and was not taken yet."""

    __slots__ = (
        "_chunks",
        "_crumbs",
        "_gathering",
        "_on_demand",
        "_wanted",
        "ceiling",
        "changed",
        "expects_continue",
        "gone",
        "length",
        "received",
        "size",
        "whole",
    )

    def __init__(self, length: int | None, on_demand: Callable[[RequestBody], None], *, expects_continue: bool) -> None:
        """`length` is None for chunks; `on_demand` is told whenever the application wants more or has made room."""
        self.length = length
        self.expects_continue = expects_continue
        self.received = 0
        self.size = 0
        self.ceiling = CEILING
        self.whole = False
        self.gone = False
        self.changed = asyncio.Event()
        self._chunks: list[bytes] = []
        self._crumbs = bytearray()
        self._wanted = 1
        self._gathering = False
        self._on_demand = on_demand

    @property
    def full(self) -> bool:
        """Whether the transport should stop reading."""
        return self.size >= self.ceiling

    def is_far_from_whole(self, far: int) -> bool:
        """Whether the rest is known to be larger than `far`, or unknowable."""
        if self.whole:
            return False
        # Whether a client that was never told to continue sends its body or its next request, no server can know.
        return self.expects_continue or (self.length is not None and self.length - self.received > far)

    # The parser's side

    def feed(self, data: bytes) -> None:
        """Take what the parser found."""
        self.received += len(data)
        self.size += len(data)
        if len(data) < _CRUMB:
            # A chunk of one byte costs an object of forty: without this, a client could make us hold forty limits.
            self._crumbs += data
            if len(self._crumbs) >= _LOAF:
                self._bake()
        else:
            self._bake()
            self._chunks.append(data)
        if self.size >= self._wanted:
            self.changed.set()

    def finish(self) -> None:
        """The body is whole."""
        self.whole = True
        self.changed.set()

    def cut(self) -> None:
        """No more will come, and the body is not whole. What has arrived can still be gathered."""
        self.gone = True
        self.changed.set()

    def discard(self) -> None:
        """Nobody will ask any more."""
        self._take()
        self.cut()

    # The application's side

    async def gather(self, limit: int) -> tuple[list[bytes], bool]:
        """At least `limit` bytes, or what remains, and whether more follow; `([], False)` when nothing remains.

        Raises: ClientDisconnected, once everything that arrived has been given away.
        """
        if limit < 1:
            raise ValueError(f"cannot gather {limit} bytes")
        if self._gathering:
            raise RuntimeError("two tasks gather one request's body")
        self._gathering = True
        try:
            await self._until(limit)
        finally:
            self._gathering = False
        if self.gone and not self.whole and not self.size:
            raise ClientDisconnected("the client disconnected before the request's body ended")
        return self.take(), not self.whole

    async def _until(self, limit: int) -> None:
        self.ceiling = self._wanted = limit
        if not self.whole:
            self._on_demand(self)
        while self.size < limit and not self.whole and not self.gone:
            self.changed.clear()
            await self.changed.wait()

    async def wait(self) -> None:
        """Wait for anything to happen: a byte, the end, the client's going."""
        self.ceiling, self._wanted = CEILING, 1
        self._on_demand(self)
        self.changed.clear()
        await self.changed.wait()

    def take(self) -> list[bytes]:
        """All that has arrived and was not taken; there is room again."""
        chunks = self._take()
        if not self.whole:
            self._on_demand(self)
        return chunks

    def _take(self) -> list[bytes]:
        self._bake()
        chunks, self._chunks, self.size = self._chunks, [], 0
        return chunks

    def _bake(self) -> None:
        if self._crumbs:
            self._chunks.append(bytes(self._crumbs))
            self._crumbs.clear()
