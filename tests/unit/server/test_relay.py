"""What comes by another connection leaves as it is, whoever of both sides is slow, silent or gone."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from threading import Thread

import pytest

from registry.server.gather import ClientDisconnected
from registry.server.limits import Limits
from registry.server.sendfile import SLICE
from tests.unit.server.conftest import Begin
from tests.unit.server.site import Handler, Receive, Scope, Send, Server, Site, descriptors, eventually, start
from tests.unit.server.wire import head

SIZE = 3 * SLICE + 12_345
PATIENCE = 20.0


@pytest.fixture(scope="session")
def content() -> bytes:
    return random.Random(2).randbytes(SIZE)  # noqa: S311 - content


class Source:
    """A TCP connection: `far` is whoever sends, `near` what a handler relays; `took` are its counts."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.far = socket.create_connection(listener.getsockname())
            self.near, _ = listener.accept()
        self.near.setblocking(False)
        self.took: list[int] = []
        self.ended: list[BaseException | None] = []

    def send(self, data: bytes) -> None:
        """In a thread: nobody may be reading yet."""
        Thread(target=self._send, args=(data,), daemon=True).start()

    def _send(self, data: bytes) -> None:
        try:
            self.far.sendall(data)
        except OSError:
            # The test is over, or its subject is that nobody takes this.
            return

    def leave(self, *, reset: bool = False) -> None:
        if reset:
            self.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.far.close()

    def close(self) -> None:
        self.far.close()
        self.near.close()

    async def relay(self, send: Send, count: int, patience: float = PATIENCE) -> int:
        await send(
            {
                "type": "entrepot.relay",
                "descriptor": self.near.fileno(),
                "count": count,
                "patience": patience,
                "took": self.took.append,
            }
        )
        return self.took[-1]

    def handler(self, count: int, first: bytes = b"", patience: float = PATIENCE) -> Handler:
        """Answers `first`, then `count` bytes from here, and puts how that went into `ended`."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await start(send, len(first) + count)
                if first:
                    await send({"type": "http.response.body", "body": first, "more_body": True})
                await self.relay(send, count, patience)
                await send({"type": "http.response.body", "body": b""})
            except BaseException as error:
                self.ended.append(error)
                raise
            self.ended.append(None)

        return answer


@pytest.fixture
def source() -> Iterator[Source]:
    with closing(Source()) as source:
        yield source


@pytest.mark.parametrize("count", [0, 1, 65_536, SLICE, SLICE + 1, SIZE])
@pytest.mark.parametrize("first", [b"", b"what came with the head"])
def test_what_comes_arrives_as_it_is_and_the_connection_goes_on(
    server: Server, site: Site, source: Source, content: bytes, count: int, first: bytes
) -> None:
    site.handlers["/relay"] = source.handler(count, first)
    source.send(content[:count])
    with server.connect() as wire:
        assert wire.get("/relay").body == first + content[:count]
        assert wire.get("/elsewhere").status == 404
    assert eventually(lambda: source.took == [count])


def test_of_what_comes_behind_the_count_nothing_is_taken(
    server: Server, site: Site, source: Source, content: bytes
) -> None:
    site.handlers["/relay"] = source.handler(1000)
    source.far.sendall(content[:3000])
    with server.connect() as wire:
        assert wire.get("/relay").body == content[:1000]
    assert source.near.recv(5000) == content[1000:3000]


def test_a_source_may_bring_its_bytes_one_by_one(server: Server, site: Site, source: Source) -> None:
    site.handlers["/relay"] = source.handler(50)
    source.far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with server.connect() as wire:
        wire.send(head("GET", "/relay"))
        wire._until(b"\r\n\r\n")
        for number in range(50):
            source.far.sendall(bytes([number]))
            assert wire.read(1) == bytes([number])
    assert eventually(lambda: source.took == [50])


@pytest.mark.parametrize("end", ["close", "reset", "silence"])
def test_a_source_that_ends_early_tells_how_much_it_was_and_another_one_goes_on(
    server: Server, site: Site, source: Source, content: bytes, end: str
) -> None:
    with closing(Source()) as other:

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await start(send, SIZE)
            taken = await source.relay(send, SIZE, patience=0.2)
            await other.relay(send, SIZE - taken)
            await send({"type": "http.response.body", "body": b""})

        site.handlers["/relay"] = answer
        with server.connect() as wire:
            wire.send(head("GET", "/relay"))
            wire._until(b"\r\n\r\n")
            source.far.sendall(content[:100_000])
            assert wire.read(100_000) == content[:100_000]
            other.send(content[100_000:])
            if end != "silence":
                source.leave(reset=end == "reset")
            assert wire.read(SIZE - 100_000) == content[100_000:]
    assert eventually(lambda: source.took == [100_000])


def test_a_reader_that_is_slow_gets_everything(server: Server, site: Site, source: Source, content: bytes) -> None:
    site.handlers["/relay"] = source.handler(SIZE, patience=0.05)
    source.send(content)
    with server.connect(receive_buffer=4096) as wire:
        wire.send(head("GET", "/relay"))
        wire._until(b"\r\n\r\n")
        # Longer than the source may be silent: it is not the source that is waited for.
        threading.Event().wait(0.3)
        assert wire.read(SIZE) == content
    assert eventually(lambda: source.took == [SIZE])


def test_nothing_overtakes_bytes_that_wait_for_the_client(
    server: Server, site: Site, source: Source, content: bytes
) -> None:
    before = content * 2
    site.handlers["/relay"] = source.handler(SIZE, before)
    source.send(content)
    with server.connect(receive_buffer=4096) as wire:
        assert wire.get("/relay").body == before + content


def test_readers_that_stall_hold_no_memory_and_leave_the_rest_with_the_source(server: Server, site: Site) -> None:
    sources = [Source() for _ in range(10)]
    wires = [server.connect(receive_buffer=4096) for _ in sources]
    sent = [0] * len(sources)
    for number, (source, wire) in enumerate(zip(sources, wires, strict=True)):
        site.handlers[f"/{number}"] = source.handler(1 << 30)
        wire.send(head("GET", f"/{number}"))
        wire._until(b"\r\n\r\n")
        source.far.setblocking(False)

    def are_full() -> bool:
        for number, source in enumerate(sources):
            try:
                sent[number] += source.far.send(bytes(SLICE))
            except BlockingIOError:
                continue
            return False
        return True

    assert eventually(are_full)
    threading.Event().wait(0.2)
    assert sum(connection.transport.get_write_buffer_size() for connection in server.server_state.connections) == 0
    assert max(sent) < 1 << 28
    for source, wire in zip(sources, wires, strict=True):
        wire.reset()
        source.leave()
    assert eventually(server.is_at_rest)
    for source in sources:
        source.close()


@pytest.mark.parametrize("leave", ["reset", "close"])
@pytest.mark.parametrize("comes", [0, SIZE])
def test_clients_that_leave_leak_nothing_whether_or_not_the_source_brings_anything(
    server: Server, site: Site, content: bytes, leave: str, comes: int
) -> None:
    server.connect().sock.close()
    assert eventually(server.is_at_rest)
    before = descriptors()
    for _ in range(5):
        with closing(Source()) as source:
            site.handlers["/relay"] = source.handler(10 * SIZE, b"first", patience=0.3)
            source.send(content[:comes])
            wire = server.connect(receive_buffer=4096)
            wire.send(head("GET", "/relay"))
            wire._until(b"first")
            if leave == "reset":
                wire.reset()
            else:
                wire.sock.close()
            assert eventually(server.is_at_rest)
            assert source.ended
            assert source.took
            if leave == "reset":
                assert isinstance(source.ended[0], ClientDisconnected)
    assert eventually(lambda: descriptors() <= before)


def test_a_client_that_goes_ends_the_wait_for_a_silent_source_at_once(
    server: Server, site: Site, source: Source
) -> None:
    site.handlers["/relay"] = source.handler(10, b"first", patience=1000)
    with server.connect() as wire:
        wire.send(head("GET", "/relay"))
        wire._until(b"first")
        wire.reset()
    assert eventually(lambda: source.ended)
    assert isinstance(source.ended[0], ClientDisconnected)
    assert eventually(lambda: source.took == [0])


def test_a_client_that_shut_its_sending_side_still_gets_everything(
    server: Server, site: Site, source: Source, content: bytes
) -> None:
    site.handlers["/relay"] = source.handler(SIZE)
    with server.connect() as wire:
        wire.send(head("GET", "/relay"))
        wire.sock.shutdown(socket.SHUT_WR)
        source.send(content)
        assert wire.answer().body == content
        assert wire.is_closed()


def test_pieces_for_a_client_that_has_left_end_the_response(any_server: Server, site: Site) -> None:
    ended: list[BaseException] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, 1 << 40)
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(1000), "more_body": True})
                await asyncio.sleep(0)
        except ConnectionError as error:
            ended.append(error)
            raise

    site.handlers["/pieces"] = answer
    with any_server.connect() as wire:
        wire.send(head("GET", "/pieces"))
        wire._until(b"\r\n\r\n")
        wire.sock.close()
    assert eventually(lambda: ended)
    assert isinstance(ended[0], ClientDisconnected)


IMPATIENT = Limits(send_stall=timedelta(seconds=0.2), tick=timedelta(seconds=0.02))


def test_a_client_that_does_not_read_is_not_waited_for_without_end(
    begin: Begin, site: Site, source: Source, content: bytes
) -> None:
    server = begin(limits=IMPATIENT)
    site.handlers["/relay"] = source.handler(1 << 30)
    source.send(content * 20)
    with server.connect(receive_buffer=4096) as wire:
        wire.send(head("GET", "/relay"))
        wire._until(b"\r\n\r\n")
        assert eventually(lambda: source.ended)
        assert isinstance(source.ended[0], ClientDisconnected)


def test_a_client_is_not_blamed_for_a_silent_source(begin: Begin, site: Site, source: Source) -> None:
    server = begin(limits=IMPATIENT)
    site.handlers["/relay"] = source.handler(10)
    with server.connect() as wire:
        wire.send(head("GET", "/relay"))
        wire._until(b"\r\n\r\n")
        threading.Event().wait(0.6)
        source.far.sendall(b"0123456789")
        assert wire.read(10) == b"0123456789"
    assert eventually(server.is_at_rest)


def test_a_cancelled_response_stops_sending(server: Server, site: Site, source: Source, content: bytes) -> None:
    before = descriptors()
    site.handlers["/relay"] = source.handler(10 * SIZE)
    source.send(content)
    with server.connect(receive_buffer=4096) as wire:
        wire.send(head("GET", "/relay"))
        wire._until(b"\r\n\r\n")
        for task in list(server.server_state.tasks):
            task.get_loop().call_soon_threadsafe(task.cancel)
        with pytest.raises((EOFError, ConnectionError)):
            wire.read(10 * SIZE)
    assert eventually(server.is_at_rest)
    assert eventually(lambda: descriptors() <= before)


def test_over_tls_it_is_not_offered(any_server: Server, site: Site) -> None:
    offered: list[bool] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        offered.append("entrepot.relay" in scope["extensions"])
        await start(send, 0)
        await send({"type": "http.response.body"})

    site.handlers["/"] = answer
    with any_server.connect() as wire:
        wire.get("/")
    assert offered == [any_server.tls is None]


@pytest.mark.parametrize("length", [9, None])
def test_more_than_the_promised_length_is_an_error(
    server: Server, site: Site, source: Source, length: int | None
) -> None:
    raised: list[str] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, length)
        try:
            await source.relay(send, 10)
        except RuntimeError as error:
            raised.append(str(error))
            raise

    site.handlers["/relay"] = answer
    with server.connect() as wire, pytest.raises((EOFError, ConnectionError)):
        wire.get("/relay")
    assert raised == ["more is to be relayed than content-length says"]


def test_a_source_before_the_head_is_an_error(server: Server, site: Site, source: Source) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await source.relay(send, 10)

    site.handlers["/relay"] = answer
    with server.connect() as wire:
        assert wire.get("/relay").status == 500


def test_what_cannot_be_spliced_fails_and_is_not_taken_for_an_end(server: Server, site: Site) -> None:
    ended: list[OSError] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        counter = os.eventfd(1)
        message = {"type": "entrepot.relay", "descriptor": counter, "count": 10, "patience": PATIENCE, "took": print}
        await start(send, 10)
        try:
            await send(message)
        except OSError as error:
            ended.append(error)
            raise
        finally:
            os.close(counter)

    site.handlers["/relay"] = answer
    with server.connect() as wire, pytest.raises((EOFError, ConnectionError)):
        wire.get("/relay")
    assert [error.errno for error in ended] == [errno.EINVAL]
