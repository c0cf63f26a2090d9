"""Bodies reach the application by the limit, whole or cut, and never take more memory than they may."""

from __future__ import annotations

import asyncio
import random
from typing import Literal

import pytest

from registry.server.gather import CEILING, ClientDisconnected, RequestBody
from registry.server.protocol import HttpProtocol
from tests.unit.server.site import Receive, Scope, Send, Server, Site, eventually, gather_all, text
from tests.unit.server.wire import chunked, head

BODY = random.Random(2).randbytes(700_001)  # noqa: S311 - content
LIMIT = 200_000


def body(length: int | None = None) -> RequestBody:
    return RequestBody(length, lambda _: None, expects_continue=False)


# The body alone


@pytest.mark.parametrize("piece", [1, 7, 1023, 1024, 64 * 1024])
def test_however_a_body_is_fed_it_is_gathered_as_it_was(piece: int) -> None:
    async def scenario() -> bytes:
        fed = body()
        for at in range(0, 100_000, piece):
            fed.feed(BODY[at : min(at + piece, 100_000)])
        fed.finish()
        chunks, more = await fed.gather(1_000_000)
        assert not more
        return b"".join(chunks)

    assert asyncio.run(scenario()) == BODY[:100_000]


def test_bytes_that_come_one_by_one_are_kept_together() -> None:
    async def scenario() -> int:
        fed = body()
        for _ in range(300_000):
            fed.feed(b"x")
        return len((await fed.gather(300_000))[0])

    assert asyncio.run(scenario()) <= 5


def test_small_and_large_pieces_keep_their_order() -> None:
    async def scenario() -> bytes:
        fed = body()
        for piece in (b"a", b"b" * 2000, b"c", b"d", b"e" * 3000, b"f"):
            fed.feed(piece)
        fed.finish()
        return b"".join((await fed.gather(1 << 20))[0])

    assert asyncio.run(scenario()) == b"a" + b"b" * 2000 + b"cd" + b"e" * 3000 + b"f"


def test_a_gatherer_is_woken_once_per_limit() -> None:
    class Counted(asyncio.Event):
        waits = 0

        async def wait(self) -> Literal[True]:
            self.waits += 1
            return await super().wait()

    async def scenario() -> None:
        fed = body()
        fed.changed = changed = Counted()
        gathering = asyncio.ensure_future(fed.gather(1000))
        while not gathering.done():
            await asyncio.sleep(0)
            fed.feed(b"x" * 10)
        assert changed.waits == 1
        assert sum(map(len, gathering.result()[0])) >= 1000

    asyncio.run(scenario())


def test_an_empty_body_gathers_to_nothing_again_and_again() -> None:
    async def scenario() -> None:
        fed = body(0)
        fed.finish()
        assert await fed.gather(10) == ([], False)
        assert await fed.gather(10) == ([], False)

    asyncio.run(scenario())


def test_what_arrived_before_the_cut_is_given_then_the_cut_is_told() -> None:
    async def scenario() -> None:
        fed = body(100)
        fed.feed(b"abc")
        fed.cut()
        assert await fed.gather(10) == ([b"abc"], True)
        with pytest.raises(ClientDisconnected) as told:
            await fed.gather(10)
        assert told.value.client_disconnected
        assert isinstance(told.value, ConnectionError)

    asyncio.run(scenario())


def test_two_tasks_cannot_gather_one_body() -> None:
    async def scenario() -> None:
        fed = body()
        first = asyncio.ensure_future(fed.gather(10))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="two tasks"):
            await fed.gather(10)
        fed.finish()
        assert await first == ([], False)

    asyncio.run(scenario())


def test_a_cancelled_gather_loses_nothing() -> None:
    async def scenario() -> None:
        fed = body()
        fed.feed(b"abc")
        first = asyncio.ensure_future(fed.gather(10))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        fed.finish()
        assert await fed.gather(10) == ([b"abc"], False)

    asyncio.run(scenario())


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_at_least_one_byte(limit: int) -> None:
    with pytest.raises(ValueError, match="cannot gather"):
        asyncio.run(body().gather(limit))


# The body through a server


@pytest.mark.parametrize("framed", ["counted", "chunked"])
def test_an_upload_is_gathered_by_the_limit(any_server: Server, site: Site, framed: str) -> None:
    taken: list[list[bytes]] = []
    site.handlers["/up"] = gather_all(LIMIT, taken)
    with any_server.connect() as wire:
        if framed == "counted":
            wire.send(head("PUT", "/up", f"Content-Length: {len(BODY)}"), BODY)
        else:
            pieces = [BODY[at : at + 9999] for at in range(0, len(BODY), 9999)]
            wire.send(head("PUT", "/up", "Transfer-Encoding: chunked"), chunked(*pieces))
        assert wire.answer().body == b"%d" % len(BODY)
        assert b"".join(chunk for chunks in taken for chunk in chunks) == BODY
        sizes = [sum(map(len, chunks)) for chunks in taken]
        assert all(size >= LIMIT for size in sizes[:-1])
        assert wire.get("/elsewhere").status == 404


@pytest.mark.parametrize("framed", ["counted", "chunked"])
def test_an_upload_that_comes_byte_by_byte_is_the_same(server: Server, site: Site, framed: str) -> None:
    taken: list[list[bytes]] = []
    site.handlers["/up"] = gather_all(100, taken)
    with server.connect() as wire:
        if framed == "counted":
            wire.send_byte_by_byte(head("PUT", "/up", "Content-Length: 300") + BODY[:300])
        else:
            pieces = (BODY[:1], BODY[1:100], BODY[100:300])
            wire.send_byte_by_byte(head("PUT", "/up", "Transfer-Encoding: chunked") + chunked(*pieces))
        assert wire.answer().body == b"300"
        assert b"".join(chunk for chunks in taken for chunk in chunks) == BODY[:300]
        assert wire.get("/elsewhere").status == 404


def test_an_upload_without_body_gathers_to_nothing(server: Server, site: Site) -> None:
    taken: list[list[bytes]] = []
    site.handlers["/up"] = gather_all(LIMIT, taken)
    with server.connect() as wire:
        assert wire.get("/up", "Content-Length: 0", method="PUT").body == b"0"
        assert taken == [[]]


@pytest.mark.parametrize("leave", ["close", "reset", "half-close"])
def test_a_client_that_leaves_mid_body_is_told_after_its_bytes(
    any_server: Server, site: Site, leave: str, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[bytes] = []
    ends: list[BaseException] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while True:
                chunks, more = await scope["extensions"]["entrepot.gather"]["receive"](LIMIT)
                assert more
                taken.extend(chunks)
        except ConnectionError as error:
            ends.append(error)
            raise

    site.handlers["/up"] = answer
    with any_server.connect() as wire:
        sent = LIMIT + 1000
        wire.send(head("PUT", "/up", f"Content-Length: {len(BODY)}"), BODY[:sent])
        assert eventually(lambda: sum(map(len, taken)) + _buffered(any_server) == sent)
        if leave == "half-close" and any_server.tls is None:
            wire.sock.shutdown(1)
        elif leave == "reset" and any_server.tls is None:
            wire.reset()
        else:
            wire.sock.close()
        assert eventually(lambda: bool(ends))
    assert isinstance(ends[0], ClientDisconnected)
    assert b"".join(taken) == BODY[:sent]
    assert eventually(any_server.is_at_rest)
    assert "Exception" not in caplog.text


def _connections(server: Server) -> list[HttpProtocol]:
    return [connection for connection in list(server.server_state.connections) if isinstance(connection, HttpProtocol)]


def _buffered(server: Server) -> int:
    bodies = [connection.latest.inlet for connection in _connections(server) if connection.latest is not None]
    return sum(body.size for body in bodies)


def test_an_application_that_is_busy_holds_at_most_its_limit_and_one_read(any_server: Server, site: Site) -> None:
    ahead: list[int] = []
    taken: list[list[bytes]] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        gather = scope["extensions"]["entrepot.gather"]["receive"]
        chunks, _ = await gather(LIMIT)
        taken.append(chunks)
        [connection] = _connections(any_server)
        await asyncio.to_thread(eventually, lambda: connection.flow.read_paused)
        ahead.append(_buffered(any_server))
        await gather_all(LIMIT, taken)(scope, receive, send)

    size = 40 * LIMIT
    site.handlers["/up"] = answer
    with any_server.connect() as wire:
        wire.send(head("PUT", "/up", f"Content-Length: {size}"), bytes(size))
        assert wire.answer().body == b"%d" % size
    assert LIMIT <= ahead[0] <= LIMIT + 256 * 1024
    assert max(sum(map(len, chunks)) for chunks in taken) <= LIMIT + 256 * 1024


def test_before_the_application_asks_little_is_read(server: Server, site: Site) -> None:
    go = asyncio.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await gather_all(LIMIT, [])(scope, receive, send)

    site.handlers["/up"] = answer
    size = 4_000_000
    with server.connect() as wire:
        wire.sock.setblocking(False)
        message = memoryview(head("PUT", "/up", f"Content-Length: {size}") + bytes(size))
        wire.sock.send(message[:500_000])
        assert eventually(lambda: any(connection.flow.read_paused for connection in _connections(server)))
        assert CEILING <= _buffered(server) <= CEILING + 256 * 1024
        wire.reset()
        # The application still waits for its event; it finds its client gone.
        [task] = server.server_state.tasks
        task.get_loop().call_soon_threadsafe(go.set)


@pytest.mark.parametrize("by", ["gather", "receive"])
def test_a_client_is_told_to_continue_when_the_application_asks(any_server: Server, site: Site, by: str) -> None:
    if by == "gather":
        site.handlers["/up"] = gather_all(LIMIT, [])
    else:
        site.handlers["/up"] = echo
    with any_server.connect() as wire:
        wire.send(head("PUT", "/up", "Content-Length: 3", "Expect: 100-continue"))
        assert wire._until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send(b"abc")
        answer = wire.answer()
        assert (answer.status, answer.interim) == (200, [])
        assert wire.get("/elsewhere").status == 404


def test_a_client_of_http_1_0_is_never_told_to_continue(server: Server, site: Site) -> None:
    site.handlers["/up"] = gather_all(LIMIT, [])
    with server.connect() as wire:
        wire.send(b"PUT /up HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc")
        assert wire.answer().interim == []


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    whole, more = b"", True
    while more:
        message = await receive()
        whole, more = whole + message["body"], message["more_body"]
    await text(whole)(scope, receive, send)


@pytest.mark.parametrize("size", [0, 1, CEILING, len(BODY)])
def test_plain_receive_gives_the_whole_body(any_server: Server, site: Site, size: int) -> None:
    site.handlers["/up"] = echo
    with any_server.connect() as wire:
        for _ in range(2):
            wire.send(head("PUT", "/up", f"Content-Length: {size}"), BODY[:size])
            assert wire.answer().body == BODY[:size]


def test_plain_receive_says_disconnect_when_the_client_leaves(any_server: Server, site: Site) -> None:
    seen: list[str] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "http.disconnect":
            seen.append(message["type"])
        seen.append("left")

    site.handlers["/up"] = answer
    with any_server.connect() as wire:
        wire.send(head("PUT", "/up", "Content-Length: 10"), b"abc")
        assert eventually(lambda: bool(seen))
    assert eventually(lambda: seen[-1] == "left")


def test_receive_after_the_body_waits_for_the_clients_going(any_server: Server, site: Site) -> None:
    seen: list[dict[str, object]] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend([await receive(), await receive()])

    site.handlers["/wait"] = answer
    with any_server.connect() as wire:
        wire.send(head("GET", "/wait"))
        assert eventually(lambda: ("GET", "/wait") in site.requests)
    assert eventually(lambda: len(seen) == 2)
    assert seen[1] == {"type": "http.disconnect"}


def test_receive_and_gather_can_take_turns(server: Server, site: Site) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        chunks, _ = await scope["extensions"]["entrepot.gather"]["receive"](1000)
        first = b"".join(chunks)
        message = await receive()
        chunks, more = await scope["extensions"]["entrepot.gather"]["receive"](len(BODY))
        assert not more
        await text(first + message["body"] + b"".join(chunks))(scope, receive, send)

    site.handlers["/up"] = answer
    with server.connect() as wire:
        wire.send(head("PUT", "/up", f"Content-Length: {len(BODY)}"), BODY)
        assert wire.answer().body == BODY
