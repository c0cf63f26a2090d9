"""One request and its response, as uvicorn runs them; out go files and other connections too, in come bodies by limits.

    {"type": "http.response.zerocopysend", "file": …, "offset": …, "count": …, "more_body": …}       ASGI's own
    {"type": "entrepot.relay", "descriptor": …, "count": …, "patience": …, "took": …}                more body follows

The latter sends the next `count` bytes that come from a descriptor, which never blocks, into a response with a length.
It is there for as long as that brings a byte every `patience` seconds; `took(count)` tells how many were taken from it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, cast

from uvicorn._types import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    Scope,
)
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from registry.server.gather import ClientDisconnected, RequestBody
from registry.server.outlet import Outlet
from registry.server.sendfile import WHOLE, read

Message = Mapping[str, Any]
_LEFT = "the client disconnected before the response's end"


class Cycle(RequestResponseCycle):
    """uvicorn's cycle; every head is still written, and every length checked, by uvicorn's own `send`."""

    transport: Outlet

    def __init__(
        self,
        connection: HttpToolsProtocol,
        app: ASGI3Application,
        outlet: Outlet,
        inlet: RequestBody,
        drained: int,
        *,
        keep_alive: bool,
    ) -> None:
        """`app` is to answer; `drained` is what may be read past of a body to save the connection."""
        super().__init__(
            connection.scope,
            outlet,
            connection.flow,
            connection.logger,
            connection.access_logger,
            access_log=False,
            default_headers=connection.server_state.default_headers,
            message_event=inlet.changed,
            expect_100_continue=False,
            keep_alive=keep_alive,
            on_response=connection.on_response_complete,
        )
        self.app = app
        self.inlet = inlet
        self.status: int | None = None
        self.sent_before = 0
        self.began = time.perf_counter()
        self.half_closed = False
        self._drained = drained
        self._given = False

    # The application

    def run_asgi(self, app: ASGI3Application) -> Coroutine[Any, Any, None]:
        """Run the application to its end, whatever happens to its client."""
        self.app = app
        return super().run_asgi(self._forgiving)

    async def _forgiving(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        try:
            return await self.app(scope, receive, send)
        except ClientDisconnected:
            # An everyday event that needs no traceback, unless it was the application that stopped listening.
            if not self.disconnected:
                raise

    def begin(self) -> None:
        """Its turn has come; what the connection sends from here on is its response."""
        self.sent_before = self.transport.sent

    def cut(self) -> None:
        """The client is gone: wake whoever waits for it."""
        self.disconnected = True
        self.inlet.cut()

    def half_close(self) -> None:
        """The client sends nothing more and may still read: the response goes on, who waits for it learns."""
        self.half_closed = True
        self.inlet.changed.set()

    # Out

    def send(self, message: ASGISendEvent) -> Coroutine[Any, Any, None]:
        """ASGI's send, with the extensions http.response.zerocopysend and entrepot.relay."""
        kind: str = message["type"]
        if kind == "entrepot.relay":
            return self._relay(cast("Message", message))
        if kind == "http.response.zerocopysend":
            return self._send_file(cast("Message", message))
        if self.response_started:
            return self._send_piece(message)
        return self._send_head(message)

    async def _send_piece(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.disconnected and cast("Message", message).get("more_body"):
            # Else an application would fetch all the rest for nobody.
            raise ClientDisconnected(_LEFT)

    async def _send_head(self, message: ASGISendEvent) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.inlet.is_far_from_whole(self._drained):
            # Too much of the body is still to come to read past it: the head says that the connection ends.
            self.keep_alive = False
        self.inlet.expects_continue = False
        # From here to the head no await suspends, so nobody else's bytes can be taken for it.
        self.transport.cork()
        try:
            await super().send(message)
        finally:
            has_body = bool(self.expected_content_length or self.chunked_encoding) and self.scope["method"] != "HEAD"
            self.transport.settle(keep=has_body)
        self.status = cast("Message", message).get("status")

    async def _send_file(self, message: Message) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        self._refuse_outside_of_body(message)
        file, offset, count = _stretch(message)
        if self.scope["method"] == "HEAD":
            count = 0
        elif not self.chunked_encoding and count > self.expected_content_length:
            raise RuntimeError("response file is longer than content-length")
        body = await self._send_stretch(file, offset, count)
        await super().send({"type": "http.response.body", "body": body, "more_body": message.get("more_body", False)})

    async def _send_stretch(self, file: int, offset: int, count: int) -> bytes:
        """Send the bytes, or return them when they are few."""
        if count <= WHOLE:
            # A bytearray is as good as bytes to every transport, and uvicorn only passes it on.
            return cast("bytes", await read(file, offset, count)) if count else b""
        prefix = b"%x\r\n" % count if self.chunked_encoding else b""
        if not await self.transport.send_file(prefix, file, offset, count):
            self.cut()
            self.transport.abort()
        elif self.chunked_encoding:
            self.transport.write(b"\r\n")
        else:
            self.expected_content_length -= count
        return b""

    async def _relay(self, message: Message) -> None:
        """See the head. Raises: ClientDisconnected."""
        if not self.disconnected:
            self._refuse_outside_of_body(message)
            await self._relay_stretch(message["descriptor"], message["count"], message["patience"], message["took"])
        if self.disconnected:
            raise ClientDisconnected(_LEFT)

    async def _relay_stretch(self, source: int, count: int, patience: float, took: Callable[[int], None]) -> None:
        if self.chunked_encoding or count > self.expected_content_length:
            raise RuntimeError("more is to be relayed than content-length says")
        sent, is_there = await self.transport.relay(source, count, patience)
        self.expected_content_length -= sent
        took(sent)
        if not is_there:
            self.cut()
            self.transport.abort()

    def _refuse_outside_of_body(self, message: Message) -> None:
        if not self.response_started or self.response_complete:
            raise RuntimeError(f"{message['type']} outside of a response's body")

    # In

    async def receive(self) -> ASGIReceiveEvent:
        """ASGI's receive, for whoever does not gather."""
        inlet = self.inlet
        while not (self.disconnected or self.response_complete):
            if inlet.size or (inlet.whole and not self._given):
                self._given = inlet.whole
                return {"type": "http.request", "body": b"".join(inlet.take()), "more_body": not inlet.whole}
            if self._given and self.half_closed:
                break
            await inlet.wait()
        return {"type": "http.disconnect"}


def _stretch(message: Message) -> tuple[int, int, int]:
    """File, offset and count; ASGI lets an offset be the file's position and a count its rest."""
    given = message["file"]
    file: int = given if isinstance(given, int) else given.fileno()
    offset, count = message.get("offset"), message.get("count")
    if offset is None:
        offset = os.lseek(file, 0, os.SEEK_CUR)
    if count is None:
        count = max(0, os.fstat(file).st_size - offset)
    if offset < 0 or count < 0:
        raise ValueError(f"cannot send {count} bytes of a file from {offset}")
    return file, offset, count
