"""Prompt answers take their turn among the others, are bounded by what the client reads, and leave the same traces."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.server.access_log import AccessLog
from registry.server.protocol import HttpProtocol
from tests.unit.server.conftest import Begin
from tests.unit.server.site import PromptSite, Receive, Reply, Scope, Send, Server, eventually, text
from tests.unit.server.wire import head


@pytest.fixture(scope="module")
def shared_site() -> PromptSite:
    return PromptSite()


@pytest.fixture
def site(shared_site: PromptSite) -> PromptSite:
    shared_site.clear()
    return shared_site


def paths(site: PromptSite) -> list[str]:
    """What the application was asked for at once."""
    return [path for path, _ in site.asked]


# In turn


def test_pipelined_requests_are_answered_in_order_however_each_is_answered(
    any_server: Server, site: PromptSite
) -> None:
    async def slowly(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.01)
        await text(scope["path"].encode())(scope, receive, send)

    targets = [f"/{number}" for number in range(30)]
    for number, target in enumerate(targets):
        site.handlers[target] = slowly
        if number % 5:
            site.replies[target] = Reply(body=target.encode())
    with any_server.connect() as wire:
        wire.send(*(head("GET", target) for target in targets[1:]), head("GET", "/0"))
        assert [wire.answer().body.decode() for _ in targets] == [*targets[1:], "/0"]
        assert wire.get("/1").body == b"/1"


def test_at_most_eight_requests_of_one_read_are_answered_at_once(any_server: Server, site: PromptSite) -> None:
    site.replies["/"] = Reply(body=b"prompt")
    site.handlers["/"] = text(b"ordinary")
    with any_server.connect() as wire:
        wire.send(*[head("GET", "/")] * 20)
        assert [wire.answer().body for _ in range(20)] == [b"prompt"] * 8 + [b"ordinary"] * 12
        wire.send(*[head("GET", "/")] * 8)
        assert [wire.answer().body for _ in range(8)] == [b"prompt"] * 8


def test_what_arrives_behind_an_answer_under_way_waits_for_it(any_server: Server, site: PromptSite) -> None:
    go = asyncio.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await text(b"slow")(scope, receive, send)

    site.handlers["/slow"] = answer
    site.handlers["/quick"] = text(b"ordinary")
    site.replies["/quick"] = Reply(body=b"prompt")
    with any_server.connect() as wire:
        wire.send(head("GET", "/slow"))
        assert eventually(lambda: bool(site.requests))
        [task] = any_server.server_state.tasks
        [connection] = any_server.server_state.connections
        assert isinstance(connection, HttpProtocol)
        wire.send(head("GET", "/quick"))
        assert eventually(lambda: len(connection.line) == 1)
        assert paths(site) == ["/slow"]
        task.get_loop().call_soon_threadsafe(go.set)
        assert [wire.answer().body for _ in range(2)] == [b"slow", b"ordinary"]
        assert wire.get("/quick").body == b"prompt"


def test_a_request_that_comes_byte_by_byte_is_answered_at_once_too(any_server: Server, site: PromptSite) -> None:
    site.replies["/"] = Reply(body=b"prompt")
    with any_server.connect() as wire:
        for _ in range(2):
            wire.send_byte_by_byte(head("GET", "/"))
            assert wire.answer().body == b"prompt"
        assert site.requests == []


def test_a_bad_request_behind_a_prompt_one_is_refused_in_its_turn(any_server: Server, site: PromptSite) -> None:
    site.replies["/"] = Reply(body=b"prompt")
    with any_server.connect() as wire:
        wire.send(head("GET", "/"), b"nonsense\r\n\r\n")
        assert wire.answer().body == b"prompt"
        assert wire.answer().status == 400
        assert wire.is_closed()


def test_a_client_that_does_not_read_is_not_written_to_without_end(server: Server, site: PromptSite) -> None:
    size = 256 * 1024
    site.replies["/"] = Reply(body=bytes(size))
    site.handlers["/"] = text(b"ordinary")
    with server.connect(receive_buffer=4096) as wire:
        wire.send(head("GET", "/"))
        assert eventually(lambda: bool(site.asked))
        [connection] = server.server_state.connections
        assert isinstance(connection, HttpProtocol)
        sent = 1
        # Until the kernel takes no more of it: now the application answers in its turn, which does not come.
        while not site.requests:
            wire.send(head("GET", "/"))
            sent += 1
            assert eventually(lambda: len(site.asked) + len(site.requests) == sent)  # noqa: B023 - called at once
        assert connection.transport.get_write_buffer_size() < 2 * size
        before = len(site.asked)
        for _ in range(5):
            wire.send(head("GET", "/"))
        assert eventually(lambda: len(connection.line) == 5)
        assert len(site.asked) == before
        bodies = [len(wire.answer().body) for _ in range(sent + 5)]
    assert bodies == [size] * before + [len(b"ordinary")] * 6


# Its traces, and its end


@pytest.fixture
def log(tmp_path: Path) -> Iterator[tuple[AccessLog, Path]]:
    path = tmp_path / "access.log"
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    yield AccessLog(number), path
    os.close(number)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_access_log_tells_the_same_of_both(
    begin: Begin, site: PromptSite, log: tuple[AccessLog, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_once(scope: Scope, asked_again: bool) -> Reply | PromptSite:
        if scope["query_string"]:
            scope["state"]["access"] = {"principal": "alice"}
            return Reply(201, (), b"four")
        return site

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["access"] = {"principal": "alice"}
        await text(b"four", 201)(scope, receive, send)

    monkeypatch.setattr(site, "at_once", at_once)
    site.handlers["/é"] = answer
    server = begin(log=log[0])
    with server.connect() as wire:
        wire.get("/%C3%A9?at=once")
        wire.get("/%C3%A9")
        wire.get("/%C3%A9?at=once", method="HEAD")
        wire.get("/%C3%A9", method="HEAD")
        assert eventually(lambda: len(lines(log[1])) == 4)
        host, port = wire.sock.getsockname()
    told = lines(log[1])
    for line in told:
        assert line.pop("time").endswith("Z")
        assert line.pop("ms") >= 0
    assert told[0] == told[1]
    assert told[2] == told[3]
    assert told[0] == {
        "remote": f"{host}:{port}",
        "method": "GET",
        "path": "/é",
        "status": 201,
        "bytes": 4,
        "principal": "alice",
    }
    assert (told[2]["method"], told[2]["bytes"]) == ("HEAD", 0)


def test_bytes_of_a_prompt_answer_are_not_counted_to_the_next(
    begin: Begin, site: PromptSite, log: tuple[AccessLog, Path]
) -> None:
    site.replies["/prompt"] = Reply(body=bytes(333))
    site.handlers["/ordinary"] = text(b"four")
    server = begin(log=log[0])
    with server.connect() as wire:
        wire.send(head("GET", "/prompt"), head("GET", "/ordinary"), head("GET", "/prompt"))
        for _ in range(3):
            wire.answer()
        wire.get("/prompt")
        assert eventually(lambda: len(lines(log[1])) == 4)
    assert sorted(line["bytes"] for line in lines(log[1])[:2]) == [4, 333]
    assert lines(log[1])[3]["bytes"] == 333


def test_what_was_answered_at_once_is_counted(server: Server, site: PromptSite) -> None:
    site.replies["/"] = Reply()
    before = server.server_state.total_requests
    with server.connect() as wire:
        wire.get("/")
        wire.get("/elsewhere")
    assert eventually(lambda: server.server_state.total_requests == before + 2)


def test_a_client_that_shuts_its_sending_side_still_gets_a_prompt_answer(server: Server, site: PromptSite) -> None:
    body = os.urandom(4 << 20)
    site.replies["/"] = Reply(body=body)
    with server.connect(receive_buffer=4096) as wire:
        wire.send(head("GET", "/"))
        wire.sock.shutdown(socket.SHUT_WR)
        assert wire.answer().body == body
        assert wire.is_closed()


def test_a_client_that_leaves_after_a_prompt_answer_leaves_nothing_behind(any_server: Server, site: PromptSite) -> None:
    site.replies["/"] = Reply(body=bytes(4 << 20))
    with any_server.connect(receive_buffer=4096) as wire:
        wire.send(head("GET", "/"))
        assert eventually(lambda: bool(site.asked))
        if any_server.tls is None:
            wire.reset()
    assert eventually(any_server.is_at_rest)


def test_a_stopping_server_closes_a_connection_that_was_answered_at_once(begin: Begin, site: PromptSite) -> None:
    server = begin()
    site.replies["/"] = Reply(body=b"prompt")
    with server.connect() as wire, server.connect() as mixed:
        assert wire.get("/").body == b"prompt"
        assert mixed.get("/elsewhere").status == 404
        assert mixed.get("/").body == b"prompt"
        server.should_exit = True
        assert wire.is_closed()
        assert mixed.is_closed()
    server.stop()


def test_a_stopping_server_ends_what_follows_a_prompt_answer(begin: Begin, site: PromptSite) -> None:
    server = begin()
    go = asyncio.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await text(b"slow")(scope, receive, send)

    site.replies["/"] = Reply(body=b"prompt")
    site.handlers["/slow"] = answer
    with server.connect() as wire, server.connect() as idle:
        assert idle.get("/").body == b"prompt"
        wire.send(head("GET", "/"), head("GET", "/slow"))
        assert wire.answer().body == b"prompt"
        assert eventually(lambda: ("GET", "/slow") in site.requests)
        [task] = server.server_state.tasks
        server.should_exit = True
        assert idle.is_closed()
        task.get_loop().call_soon_threadsafe(go.set)
        last = wire.answer()
        assert (last.body, last.headers["connection"]) == (b"slow", "close")
        assert wire.is_closed()
