"""The same bytes again have the same answer, without being read, exactly as long as whoever answered says so."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from pathlib import Path

import pytest
import trustme

from registry.server.access_log import AccessLog
from registry.server.protocol import HttpProtocol
from registry.server.repeats import LARGEST_RESPONSE, LONGEST_HEAD
from tests.unit.server.conftest import Begin
from tests.unit.server.site import PromptSite, Receive, Reply, Scope, Send, Server, eventually, text
from tests.unit.server.wire import Wire, head

ROOT = head("GET", "/")


def always() -> bool:
    return True


@pytest.fixture(scope="module")
def shared_site() -> PromptSite:
    return PromptSite()


@pytest.fixture
def site(shared_site: PromptSite) -> PromptSite:
    """Its root holds for ever."""
    shared_site.clear()
    shared_site.replies["/"] = Reply(body=b"root", holds=always)
    return shared_site


@pytest.fixture(params=["plain", "tls"])
def server(
    request: pytest.FixtureRequest, begin: Begin, authority: trustme.CA, certificate: tuple[Path, Path]
) -> Server:
    """One that has not heard anything yet."""
    if request.param == "plain":
        return begin()
    server = begin(tls=certificate)
    server.tls = ssl.create_default_context()
    authority.configure_trust(server.tls)
    return server


def ask(wire: Wire, times: int = 2, request: bytes = ROOT) -> list[bytes]:
    bodies = []
    for _ in range(times):
        wire.send(request)
        bodies.append(wire.answer().body)
    return bodies


def connection_of(server: Server) -> HttpProtocol:
    assert eventually(lambda: len(server.server_state.connections) == 1)
    [connection] = server.server_state.connections
    assert isinstance(connection, HttpProtocol)
    return connection


def send_apart(server: Server, wire: Wire, *segments: bytes) -> None:
    """Each is sent once the one before has been read."""
    connection = connection_of(server)
    received = connection.received
    for segment in segments:
        wire.send(segment)
        received += len(segment)
        assert eventually(lambda: connection.received == received)  # noqa: B023 - called at once


def test_the_third_identical_request_does_not_reach_the_application(server: Server, site: PromptSite) -> None:
    with server.connect() as wire:
        assert ask(wire, 10) == [b"root"] * 10
    assert site.asked == [("/", False), ("/", True)]
    assert site.requests == []


def test_connections_share_what_is_kept(server: Server, site: PromptSite) -> None:
    for _ in range(5):
        with server.connect() as wire:
            assert ask(wire, 1) == [b"root"]
    assert site.asked == [("/", False), ("/", True)]


def test_a_repeated_answer_is_the_kept_one(server: Server, site: PromptSite) -> None:
    site.replies["/"] = Reply(201, ((b"content-type", b"text/plain"), (b"x", b"1")), b"root", always)
    with server.connect() as wire:
        answers = [wire.get("/", method=method) for method in ("GET", "HEAD") for _ in range(4)]
        assert wire.get("/elsewhere").status == 404
    for answer in answers:
        answer.headers.pop("date")
    assert answers[:4] == [answers[0]] * 4
    assert answers[4:] == [answers[4]] * 4
    assert (answers[0].status, answers[0].body) == (201, b"root")
    assert (answers[4].status, answers[4].body) == (201, b"")
    assert len(site.asked) == 5


def test_an_answer_that_holds_no_more_is_asked_for_again(server: Server, site: PromptSite) -> None:
    holds = [True]
    site.replies["/"] = Reply(body=b"before", holds=lambda: holds[0])
    with server.connect() as wire:
        assert ask(wire, 4) == [b"before"] * 4
        assert len(site.asked) == 2
        holds[0] = False
        site.replies["/"] = Reply(body=b"after", holds=always)
        assert ask(wire, 4) == [b"after"] * 4
    assert site.asked == [("/", False), ("/", True), ("/", True)]


def test_an_answer_that_promises_nothing_is_never_kept(server: Server, site: PromptSite) -> None:
    site.replies["/"] = Reply(body=b"root")
    with server.connect() as wire:
        ask(wire, 5)
    assert site.asked == [("/", False), *[("/", True)] * 4]


def test_an_answer_in_its_turn_is_never_kept(server: Server, site: PromptSite) -> None:
    site.handlers["/ordinary"] = text(b"ordinary")
    site.replies["/half-way"] = text(b"half-way")
    with server.connect() as wire:
        assert ask(wire, 4, head("GET", "/ordinary")) == [b"ordinary"] * 4
        assert ask(wire, 4, head("GET", "/half-way")) == [b"half-way"] * 4
    assert len(site.asked) == 8


@pytest.mark.parametrize("other", [head("GET", "/", "X: 1"), head("GET", "/?"), head("HEAD", "/"), b"\r\n" + ROOT])
def test_a_request_that_differs_by_a_byte_is_another(server: Server, site: PromptSite, other: bytes) -> None:
    with server.connect() as wire:
        ask(wire, 3)
        wire.send(other)
        wire.answer("HEAD" if other.startswith(b"HEAD") else "GET")
    assert len(site.asked) == 3


def test_a_request_in_two_segments_is_not_kept_and_is_read(server: Server, site: PromptSite) -> None:
    with server.connect() as wire:
        for _ in range(4):
            send_apart(server, wire, ROOT[:20], ROOT[20:])
            assert wire.answer().body == b"root"
        assert [again for _, again in site.asked] == [False] * 4
        assert ask(wire, 3) == [b"root"] * 3
        send_apart(server, wire, ROOT[:20], ROOT[20:])
        assert wire.answer().body == b"root"
    assert len(site.asked) == 7


def test_two_requests_in_one_segment_are_not_kept(server: Server, site: PromptSite) -> None:
    site.replies["/other"] = Reply(body=b"other", holds=always)
    with server.connect() as wire:
        for _ in range(4):
            wire.send(ROOT, head("GET", "/other"))
            assert [wire.answer().body for _ in range(2)] == [b"root", b"other"]
    assert len(site.asked) == 8


def test_two_kept_requests_in_one_segment_are_read(server: Server, site: PromptSite) -> None:
    with server.connect() as wire:
        ask(wire, 3)
        wire.send(ROOT, ROOT)
        assert [wire.answer().body for _ in range(2)] == [b"root"] * 2
    assert len(site.asked) == 4


def test_a_request_with_the_beginning_of_another_is_not_kept(server: Server, site: PromptSite) -> None:
    other = head("GET", "/other")
    site.replies["/other"] = Reply(body=b"other", holds=always)
    with server.connect() as wire:
        for _ in range(4):
            send_apart(server, wire, ROOT + other[:9])
            assert wire.answer().body == b"root"
            wire.send(other[9:])
            assert wire.answer().body == b"other"
    assert len(site.asked) == 8


def test_what_follows_the_beginning_of_a_head_is_no_repeat(server: Server, site: PromptSite) -> None:
    site.replies["/other"] = Reply(body=b"other")
    with server.connect() as wire:
        assert ask(wire, 3) == [b"root"] * 3
        send_apart(server, wire, b"GET /other HTTP/1.1\r\nX: ", ROOT)
        assert wire.answer().body == b"other"
        assert ask(wire, 1) == [b"root"]
    assert [path for path, _ in site.asked] == ["/", "/", "/other"]


def test_a_body_that_looks_like_a_kept_request_is_none(server: Server, site: PromptSite) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while len(body) < 2 * len(ROOT):
            body += (await receive())["body"]
        await text(body)(scope, receive, send)

    site.handlers["/up"] = answer
    with server.connect() as wire:
        assert ask(wire, 3) == [b"root"] * 3
        send_apart(server, wire, head("PUT", "/up", f"Content-Length: {2 * len(ROOT)}"), ROOT, ROOT)
        assert wire.answer().body == ROOT * 2
        assert ask(wire, 1) == [b"root"]
    assert len(site.asked) == 2


@pytest.mark.parametrize("longer", [0, 1])
def test_a_request_longer_than_the_longest_head_is_read_each_time(
    server: Server, site: PromptSite, longer: int
) -> None:
    padding = LONGEST_HEAD + longer - len(head("GET", "/", "X: "))
    request = head("GET", "/", "X: " + "x" * padding)
    assert len(request) == LONGEST_HEAD + longer
    with server.connect() as wire:
        assert ask(wire, 4, request) == [b"root"] * 4
    assert len(site.asked) == (4 if longer else 2)


def test_a_response_that_is_too_large_is_asked_for_each_time(server: Server, site: PromptSite) -> None:
    site.replies["/"] = Reply(body=bytes(LARGEST_RESPONSE), holds=always)
    with server.connect() as wire:
        assert ask(wire, 4) == [bytes(LARGEST_RESPONSE)] * 4
    assert len(site.asked) == 4


@pytest.mark.parametrize("last", ["Connection: close", "Connection: upgrade\r\nUpgrade: x"])
def test_the_last_request_of_a_connection_is_not_kept(server: Server, site: PromptSite, last: str) -> None:
    site.handlers["/"] = text(b"ordinary")
    for _ in range(4):
        with server.connect() as wire:
            answer = wire.get("/", last)
            assert (answer.body, answer.headers["connection"]) == (b"ordinary", "close")
            assert wire.is_closed()
    assert site.asked == []


def test_a_request_with_a_body_is_not_kept(server: Server, site: PromptSite) -> None:
    site.handlers["/"] = text(b"ordinary")
    with server.connect() as wire:
        assert ask(wire, 4, head("GET", "/", "Content-Length: 4") + b"body") == [b"ordinary"] * 4
    assert len(site.requests) == 4


# In turn


def test_a_repeat_behind_an_answer_under_way_waits_for_it(server: Server, site: PromptSite) -> None:
    go = asyncio.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await text(b"slow")(scope, receive, send)

    site.handlers["/slow"], site.handlers["/"] = answer, text(b"ordinary")
    with server.connect() as wire:
        assert ask(wire, 3) == [b"root"] * 3
        send_apart(server, wire, head("GET", "/slow"))
        assert eventually(lambda: bool(site.requests))
        [task] = server.server_state.tasks
        connection = connection_of(server)
        send_apart(server, wire, ROOT)
        assert eventually(lambda: len(connection.line) == 1)
        task.get_loop().call_soon_threadsafe(go.set)
        assert [wire.answer().body for _ in range(2)] == [b"slow", b"ordinary"]
        assert ask(wire, 1) == [b"root"]


def test_the_parser_is_in_step_after_a_repeat(server: Server, site: PromptSite) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await text((await receive())["body"])(scope, receive, send)

    site.handlers["/up"] = answer
    site.handlers["/ordinary"] = text(b"ordinary")
    up = head("PUT", "/up", "Content-Length: 4") + b"body"
    with server.connect() as wire:
        for _ in range(3):
            assert ask(wire, 3) == [b"root"] * 3
            assert wire.get("/ordinary").body == b"ordinary"
            assert ask(wire, 2) == [b"root"] * 2
            wire.send(up)
            assert wire.answer().body == b"body"
            assert ask(wire, 1) == [b"root"]
            wire.send(head("GET", "/ordinary"), up, ROOT)
            assert [wire.answer().body for _ in range(2)] == [b"ordinary", b"body"]
            wire.answer()
        assert ask(wire, 1) == [b"root"]
        assert wire.get("/", "Connection: close").headers["connection"] == "close"
        assert wire.is_closed()


def test_a_request_that_cannot_be_read_is_refused_after_a_repeat(server: Server, site: PromptSite) -> None:
    with server.connect() as wire:
        ask(wire, 3)
        wire.send(b"nonsense\r\n\r\n")
        assert wire.answer().status == 400
        assert wire.is_closed()


def test_a_repeat_behind_an_early_answer_whose_body_is_not_read_yet_is_body(server: Server, site: PromptSite) -> None:
    site.handlers["/guarded"] = text(b"who are you?", 401)
    with server.connect() as wire:
        ask(wire, 3)
        wire.send(head("PUT", "/guarded", f"Content-Length: {len(ROOT)}"))
        assert wire.answer().status == 401
        send_apart(server, wire, ROOT)
        assert ask(wire, 1) == [b"root"]
    assert len(site.asked) == 2


def test_a_client_that_does_not_read_is_not_repeated_to_without_end(begin: Begin, site: PromptSite) -> None:
    server = begin()
    body = bytes(LARGEST_RESPONSE // 2)
    site.replies["/"] = Reply(body=body, holds=always)
    site.handlers["/"] = text(b"ordinary")
    with server.connect(receive_buffer=4096) as wire:
        ask(wire, 3)
        connection = connection_of(server)
        sent = 0
        while not site.requests:
            send_apart(server, wire, ROOT)
            sent += 1
        assert connection.transport.get_write_buffer_size() < 8 * len(body)
        bodies = [wire.answer().body for _ in range(sent)]
    assert bodies == [body] * (sent - 1) + [b"ordinary"]
    assert len(site.asked) == 2


# Its traces


def test_the_date_of_a_repeat_is_todays(server: Server, site: PromptSite) -> None:
    def turn(date: bytes) -> None:
        # What uvicorn's own clock would set each second is the same.
        server.config.date_header = False
        server.config.encoded_headers = server.server_state.default_headers = [(b"date", date)]

    with server.connect() as wire:
        for date in (b"Mon", b"Tue"):
            turn(date)
            assert eventually(lambda: server.server_state.default_headers == [(b"date", date)])  # noqa: B023
            ask(wire, 2)
            wire.send(ROOT)
            assert wire._until(b"\r\n\r\n").count(b"date: " + date + b"\r\n") == 1
            wire.read(4)
    assert len(site.asked) == 2


def test_repeats_are_lines_of_the_access_log_and_counted(
    begin: Begin, site: PromptSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_once(scope: Scope, asked_again: bool) -> Reply:
        scope["state"]["access"] = {"repository": "library/alpine"}
        return Reply(body=b"root", holds=always)

    monkeypatch.setattr(site, "at_once", at_once)
    path = tmp_path / "access.log"
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    server = begin(log=AccessLog(number))
    with server.connect() as first, server.connect() as second:
        ask(first, 2)
        ask(second, 2)
        addresses = ["{}:{}".format(*wire.sock.getsockname()) for wire in (first, second)]
        assert eventually(lambda: path.read_text().count("\n") == 4)
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["remote"] for line in told] == [addresses[0]] * 2 + [addresses[1]] * 2
    for line in told:
        assert line["ms"] >= 0
        del line["time"], line["ms"], line["remote"]
    assert told == [{"method": "GET", "path": "/", "status": 200, "bytes": 4, "repository": "library/alpine"}] * 4
    assert server.server_state.total_requests == 4
    os.close(number)


def test_a_stopping_server_closes_a_connection_that_was_repeated_to(server: Server, site: PromptSite) -> None:
    with server.connect() as wire:
        ask(wire, 3)
        server.should_exit = True
        assert wire.is_closed()
