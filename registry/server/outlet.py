"""The way out of one connection, which uvicorn's request-response cycles take for their transport."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl

from registry.server.relay import Relay
from registry.server.sendfile import FileSend, read

_COPIED = 256 * 1024
_JOINED = 16 * 1024


class Outlet(asyncio.Transport):
    """Writes what uvicorn writes, and files beside it.

    A response's head is written by uvicorn like any other bytes; `cork` keeps it here until it is known whether a file
    follows, because head and file leave together.
    """

    def __init__(
        self, transport: asyncio.Transport, flow: FlowControl, end: Callable[[], None], *, secure: bool
    ) -> None:
        """`end` closes the connection in the way its state asks for."""
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._flow = flow
        self._end = end
        self._socket: socket.socket | None = None
        self._sending: FileSend | Relay | None = None
        self._lost = False
        self._corked = False
        self._head = b""
        self._uncorking: asyncio.Handle | None = None
        self.secure = secure
        self._sent = 0

    # What uvicorn asks of a transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write behind a head that is still here; until `settle`, what is written is that head."""
        if self._corked:
            self._head += data
            return
        self._sent += len(data)
        if self._head:
            self._write_with_head(data)
        else:
            self._transport.write(data)

    def write_whole(self, response: bytes, body: int) -> None:
        """Write a response, head and all, of which `body` bytes are its body. Nothing else may be under way."""
        self._sent += body
        self._transport.write(response)

    def _write_with_head(self, data: bytes | bytearray | memoryview) -> None:
        # One system call and, if it is small, one packet; uvloop, too, sends each write at once.
        head = self._take_head()
        if len(data) < _JOINED:
            self._transport.write(head + data)
        else:
            self._transport.writelines([head, data])

    def close(self) -> None:
        """End the connection after what was written."""
        self._end()

    def abort(self) -> None:
        """End the connection now."""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether the connection is ending or gone; a TLS transport whose client left says that it is not closing."""
        return self._lost or self._transport.is_closing()

    # Heads

    def cork(self) -> None:
        """What is written next is a response's head."""
        self._corked = True

    def settle(self, *, keep: bool) -> None:
        """The head is written. To `keep` it is worth it when a body follows, until the event loop turns at most."""
        self._corked = False
        if keep:
            self._uncorking = self._loop.call_soon(self._uncork)
        elif self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def _uncork(self) -> None:
        if head := self._take_head():
            self._transport.write(head)

    def _take_head(self) -> bytes:
        if self._uncorking is not None:
            self._uncorking.cancel()
            self._uncorking = None
        head, self._head = self._head, b""
        return head

    # Files, and what comes from elsewhere

    async def send_file(self, prefix: bytes, file: int, offset: int, count: int) -> bool:
        """Send the kept head, `prefix` and a stretch of a file; whether the peer was there. Raises: OSError."""
        head = self._take_head() + prefix
        self._sent += len(prefix)
        if self.secure:
            return await self._copy(head, file, offset, count)
        await self._drain()
        if self.is_closing():
            return False
        return await self._send(FileSend(self._own_socket(), head, file, offset, count))

    async def relay(self, source: int, count: int, patience: float) -> tuple[int, bool]:
        """Send `count` bytes of a descriptor; how many it had, and whether the peer was there. Raises: OSError.

        Not where they must be encrypted, which is for this process to do.
        """
        self._uncork()
        await self._drain()
        if self.is_closing():
            return 0, False
        relay = Relay(self._own_socket(), source, count, patience)
        is_there = await self._send(relay)
        return relay.sent, is_there

    async def _send(self, sending: FileSend | Relay) -> bool:
        self._sending = sending
        try:
            sending.start()
            return await sending.done
        finally:
            sending.stop()
            self._sending = None
            self._sent += sending.sent

    async def _copy(self, head: bytes, file: int, offset: int, count: int) -> bool:
        """Through this process, because the bytes must be encrypted here."""
        self._transport.write(head)
        end = offset + count
        while offset < end:
            data = await read(file, offset, min(_COPIED, end - offset))
            if self.is_closing():
                return False
            self.write(data)
            offset += len(data)
            # Other connections have their turn, and this one's loss is told, even while its client takes all at once.
            await asyncio.sleep(0)
            if self._flow.write_paused:
                await self._flow.drain()
        return not self.is_closing()

    async def _drain(self) -> None:
        """Wait until nothing is left in the transport's own buffer: what goes around it must not overtake."""
        if not self._transport.get_write_buffer_size():
            return
        self._transport.set_write_buffer_limits(high=0)
        if self._flow.write_paused:
            await self._flow.drain()
        if not self.is_closing():
            self._transport.set_write_buffer_limits()

    def _own_socket(self) -> socket.socket:
        """A descriptor of our own for the connection: event loops let nobody watch the one that a transport uses."""
        if self._socket is None:
            self._socket = self._transport.get_extra_info("socket").dup()
        return self._socket

    # Progress and the end

    @property
    def sent(self) -> int:
        """How many bytes of bodies have left on this connection."""
        return self._sent + (self._sending.sent if self._sending is not None else 0)

    @property
    def is_sending(self) -> bool:
        """Whether a response waits for the client to read."""
        return self._flow.write_paused or (self._sending is not None and self._sending.waits_for_peer)

    def progress(self) -> tuple[int, int, int]:
        """What changes whenever the client acknowledges a byte.

        The kernel's queue is part of it: a slow reader may let a large one take nothing for minutes, without stalling.
        """
        return self.sent, self._transport.get_write_buffer_size(), self._queued()

    def _queued(self) -> int:
        """What the kernel has and the client has not acknowledged."""
        sock = self._transport.get_extra_info("socket")
        if sock is None or sock.fileno() < 0:
            # A connection that is gone, whose transport has not said so yet.
            return 0
        return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0])

    def lost(self) -> None:
        """The connection is gone."""
        self._lost = True
        self._take_head()
        if self._sending is not None:
            self._sending.stop()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
