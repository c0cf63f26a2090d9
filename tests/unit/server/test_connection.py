"""Requests of a connection are answered in turn, and it ends when, and only when, it should."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from datetime import timedelta

import pytest

from registry.server.limits import Limits
from registry.server.protocol import HttpProtocol
from tests.unit.server.conftest import Begin
from tests.unit.server.site import Receive, Scope, Send, Server, Site, eventually, start, text
from tests.unit.server.wire import head

SOON = timedelta(seconds=0.1)
TICK = timedelta(seconds=0.02)


def test_a_connection_serves_request_after_request(any_server: Server, site: Site) -> None:
    site.handlers["/"] = text(b"root")
    with any_server.connect() as wire:
        for _ in range(5):
            assert wire.get("/").body == b"root"


def test_the_scope_is_what_asgi_says(any_server: Server, site: Site) -> None:
    seen: list[Scope] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await text(b"")(scope, receive, send)

    site.handlers["/a b/é"] = answer
    with any_server.connect() as wire:
        assert wire.get("/a%20b/%C3%A9?q=%20#f", "X-Test: 1").status == 200
        [scope] = seen
        assert scope["scheme"] == ("http" if any_server.tls is None else "https")
        assert (scope["method"], scope["http_version"]) == ("GET", "1.1")
        assert (scope["path"], scope["raw_path"]) == ("/a b/é", b"/a%20b/%C3%A9")
        assert scope["query_string"] == b"q=%20"
        assert scope["headers"] == [(b"host", b"registry.test"), (b"x-test", b"1")]
        assert scope["client"] == wire.sock.getsockname()
        assert scope["server"] == any_server.address


def test_an_absolute_target_is_its_path(server: Server, site: Site) -> None:
    site.handlers["/there"] = text(b"found")
    with server.connect() as wire:
        assert wire.get("http://elsewhere.test/there").body == b"found"


def test_the_date_is_told_and_the_server_is_not(server: Server, site: Site) -> None:
    with server.connect() as wire:
        headers = wire.get("/").headers
        assert "date" in headers
        assert "server" not in headers


def test_pipelined_requests_run_one_after_the_other(any_server: Server, site: Site) -> None:
    running: list[str] = []
    most: list[int] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        running.append(scope["path"])
        await asyncio.sleep(0)
        most.append(len(running))
        body = b"".join((await scope["extensions"]["entrepot.gather"]["receive"](100))[0])
        await text(scope["query_string"] + body)(scope, receive, send)
        running.remove(scope["path"])

    site.handlers["/"] = answer
    with any_server.connect() as wire:
        bodies = [b"%d" % number * 10 for number in range(9)]
        wire.send(
            *(head("PUT", f"/?{number}", f"Content-Length: {len(body)}") + body for number, body in enumerate(bodies))
        )
        for number, body in enumerate(bodies):
            assert wire.answer().body == b"%d" % number + body
    assert set(most) == {1}


def test_too_many_waiting_requests_are_answered_and_then_it_ends(begin: Begin, site: Site) -> None:
    server = begin(limits=Limits(pipeline=5))
    site.handlers["/"] = text(b"root")
    with server.connect() as wire:
        wire.send(*[head("GET", "/")] * 100)
        answers = [wire.answer() for _ in range(6)]
        assert [answer.headers.get("connection") for answer in answers] == [None] * 5 + ["close"]
        assert wire.is_closed()
    assert len(site.requests) == 6


def test_what_comes_beyond_the_waiting_requests_is_not_even_parsed(begin: Begin, site: Site) -> None:
    server = begin(limits=Limits(pipeline=5))
    go = asyncio.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await text(b"root")(scope, receive, send)

    site.handlers["/"] = answer
    with server.connect() as wire:
        wire.send(*[head("GET", "/")] * 100)
        assert eventually(lambda: bool(site.requests))
        [connection] = server.server_state.connections
        [task] = server.server_state.tasks
        assert isinstance(connection, HttpProtocol)
        assert eventually(lambda: connection.surplus > 0)
        assert len(connection.line) == 5
        task.get_loop().call_soon_threadsafe(go.set)
        assert [wire.answer().status for _ in range(6)] == [200] * 6


def test_clients_that_leave_with_requests_in_line_leave_no_task(any_server: Server, site: Site) -> None:
    ended: list[str] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.append(scope["path"])

    site.handlers["/waits"] = answer
    with any_server.connect() as wire:
        wire.send(*[head("GET", "/waits")] * 3)
        assert eventually(lambda: bool(site.requests))
        if any_server.tls is None:
            wire.reset()
    assert eventually(lambda: ended == ["/waits"])


def test_a_client_that_shut_its_sending_side_gets_every_answer(server: Server, site: Site) -> None:
    site.handlers["/"] = text(b"root")
    with server.connect() as wire:
        wire.send(head("GET", "/"), head("GET", "/"), head("GET", "/"))
        wire.sock.shutdown(socket.SHUT_WR)
        assert [wire.answer().body for _ in range(3)] == [b"root"] * 3
        assert wire.is_closed()


def test_an_application_that_waits_is_told_of_a_half_closed_client_and_may_answer(server: Server, site: Site) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        assert await receive() == {"type": "http.disconnect"}
        await text(b"bye")(scope, receive, send)

    site.handlers["/"] = answer
    with server.connect() as wire:
        wire.send(head("GET", "/"))
        assert eventually(lambda: bool(site.requests))
        wire.sock.shutdown(socket.SHUT_WR)
        assert wire.answer().body == b"bye"
        assert wire.is_closed()


def test_an_idle_connection_closed_by_its_client_is_gone(any_server: Server, site: Site) -> None:
    with any_server.connect() as wire:
        wire.get("/")
    assert eventually(any_server.is_at_rest)


def test_a_stopping_server_answers_what_it_has_begun(begin: Begin, site: Site) -> None:
    server = begin()
    go = asyncio.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await text(b"done")(scope, receive, send)

    site.handlers["/"] = answer
    with server.connect() as wire, server.connect() as idle:
        idle.get("/elsewhere")
        wire.send(head("GET", "/"))
        assert eventually(lambda: ("GET", "/") in site.requests)
        [task] = server.server_state.tasks
        server.should_exit = True
        assert idle.is_closed()
        task.get_loop().call_soon_threadsafe(go.set)
        answer_ = wire.answer()
        assert (answer_.body, answer_.headers["connection"]) == (b"done", "close")
        assert wire.is_closed()


# Patience


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost: a\r\n", b"G"])
def test_a_head_that_does_not_end_is_refused(begin: Begin, site: Site, sent: bytes) -> None:
    server = begin(limits=Limits(head_within=SOON, tick=TICK))
    with server.connect() as wire:
        wire.send(sent)
        assert wire.answer().status == 408
        assert wire.is_closed()


def test_a_head_dripped_in_is_refused_all_the_same(begin: Begin, site: Site) -> None:
    server = begin(limits=Limits(head_within=SOON, linger=SOON, tick=TICK))
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nX: ")
        closed = []

        def drip() -> bool:
            try:
                wire.send(b"a")
            except ConnectionError:
                closed.append(True)
            return bool(closed)

        assert eventually(drip)
    assert site.requests == []


def test_a_connection_that_says_nothing_is_closed(begin: Begin, site: Site) -> None:
    server = begin(limits=Limits(head_within=SOON, tick=TICK))
    with server.connect() as wire:
        assert wire.is_closed()


def test_an_idle_connection_is_closed(begin: Begin, site: Site) -> None:
    server = begin(limits=Limits(idle=SOON, tick=TICK))
    with server.connect() as wire:
        assert wire.get("/").status == 404
        assert wire.is_closed()


def test_a_body_that_stalls_is_a_client_that_left(begin: Begin, site: Site) -> None:
    server = begin(limits=Limits(body_stall=SOON, tick=TICK))
    ends: list[BaseException] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while True:
                await scope["extensions"]["entrepot.gather"]["receive"](100)
        except ConnectionError as error:
            ends.append(error)

    site.handlers["/up"] = answer
    with server.connect() as wire:
        wire.send(head("PUT", "/up", "Content-Length: 10"), b"abc")
        assert wire.is_closed()
        assert eventually(lambda: len(ends) == 1)


def test_an_unread_body_that_stalls_while_it_is_drained_ends_the_connection(begin: Begin, site: Site) -> None:
    server = begin(limits=Limits(body_stall=SOON, tick=TICK))
    site.handlers["/guarded"] = text(b"no", 401)
    with server.connect() as wire:
        wire.send(head("PUT", "/guarded", "Content-Length: 10"), b"abc")
        assert wire.answer().status == 401
        assert wire.is_closed()


@pytest.mark.parametrize("expect", ["Expect: 100-continue", "X: nothing"])
def test_an_application_may_take_its_time(begin: Begin, site: Site, expect: str) -> None:
    limits = Limits(head_within=SOON, body_stall=SOON, send_stall=SOON, idle=SOON, linger=SOON, tick=TICK)
    server = begin(limits=limits)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        # Longer than any patience there is with a client.
        await asyncio.sleep(4 * SOON.total_seconds())
        await start(send, 4)
        await send({"type": "http.response.body", "body": b"done"})

    site.handlers["/"] = answer
    with server.connect() as wire:
        length = "Content-Length: 1" if "100" in expect else "Content-Length: 0"
        assert wire.get("/", length, expect).body == b"done"


@pytest.mark.parametrize("way", ["file", "bytes"])
def test_a_reader_that_stalls_is_given_up(
    begin: Begin, site: Site, tmp_path_factory: pytest.TempPathFactory, way: str
) -> None:
    server = begin(limits=Limits(send_stall=SOON, tick=TICK))
    large_file(site, tmp_path_factory, way)
    with server.connect(receive_buffer=4096) as wire:
        wire.send(head("GET", "/"))
        assert eventually(lambda: bool(site.requests))
        assert eventually(server.is_at_rest)


@pytest.mark.parametrize("way", ["file", "bytes"])
def test_a_slow_reader_makes_progress_before_anything_more_can_be_written(
    server: Server, site: Site, tmp_path_factory: pytest.TempPathFactory, way: str
) -> None:
    large_file(site, tmp_path_factory, way)
    with server.connect(receive_buffer=4096) as wire:
        wire.send(head("GET", "/"))
        wire._until(b"\r\n\r\n")
        [connection] = server.server_state.connections
        assert isinstance(connection, HttpProtocol)
        stalled = settled(connection.outlet.progress)
        wire.read(100_000)
        assert eventually(lambda: connection.outlet.progress() != stalled)
        wire.reset()
        assert eventually(server.is_at_rest)


def settled(measure: Callable[[], object]) -> object:
    """The value of `measure` once it has stopped to change."""
    seen: list[object] = []

    def is_still() -> bool:
        seen.append(measure())
        return len(seen) > 20 and len(set(seen[-20:])) == 1

    assert eventually(is_still)
    return seen[-1]


def large_file(site: Site, folders: pytest.TempPathFactory, way: str) -> None:
    """Answer with more than any socket's buffer holds, as a file or as bytes."""
    size = 64 << 20
    path = folders.mktemp("large") / "file"
    with path.open("wb") as file:
        file.truncate(size)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, size)
        if way == "file":
            with path.open("rb") as file:
                await send({"type": "http.response.zerocopysend", "file": file, "offset": 0, "count": size})
            return
        for left in range(63, -1, -1):
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": left > 0})

    site.handlers["/"] = answer
