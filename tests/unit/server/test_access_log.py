"""Each request is one line of JSON that no request can forge, and a log that cannot be written stops nothing."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.server.access_log import AccessLog, Entry
from tests.unit.server.conftest import BRISK, Begin
from tests.unit.server.site import Receive, Scope, Send, Server, Site, eventually, file_at, start, text
from tests.unit.server.wire import head

NASTY = 'a\n{"status":500}\r\x00\x1b[31m"\\\u2028é\ud800'


class Log:
    """A log file and what is in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.log = AccessLog(self.number)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path / "access.log")
    yield log
    os.close(log.number)


@pytest.fixture
def logged(begin: Begin, log: Log) -> Server:
    return begin(log=log.log)


def entry(**fields: Any) -> Entry:
    usual: dict[str, Any] = {
        "remote": "192.0.2.1:5",
        "method": "GET",
        "path": "/",
        "status": 200,
        "sent": 3,
        "seconds": 0.0123,
        "more": {},
    }
    return Entry(**{**usual, **fields})


def test_a_line_tells_what_was_asked_and_what_became_of_it() -> None:
    assert json.loads(entry().line("now")) == {
        "time": "now",
        "remote": "192.0.2.1:5",
        "method": "GET",
        "path": "/",
        "status": 200,
        "bytes": 3,
        "ms": 12.3,
    }


def test_what_is_unknown_is_null() -> None:
    told = json.loads(entry(remote=None, method=None, path=None, status=None).line("now"))
    assert [told[name] for name in ("remote", "method", "path", "status")] == [None] * 4


@pytest.mark.parametrize("where", ["path", "method", "remote"])
def test_nothing_in_a_request_forges_a_line(where: str) -> None:
    line = entry(**{where: NASTY}).line("now")
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert line.isascii()
    assert json.loads(line)[where] == NASTY


def test_nothing_in_the_applications_fields_forges_a_line() -> None:
    line = entry(more={NASTY: NASTY, "path": "/forged", "status": 1}).line("now")
    assert line[:-1].isprintable()
    told = json.loads(line, object_pairs_hook=list)
    assert len({name for name, _ in told}) == len(told)
    assert (NASTY, NASTY) in told
    assert ("path", "/") in told


def test_fields_that_json_does_not_know_are_told_as_text() -> None:
    assert json.loads(entry(more={"where": Path("/a"), "n": 1}).line("now"))["where"] == "/a"


def test_lines_are_kept_until_there_are_many(log: Log) -> None:
    async def scenario() -> int:
        while not log.lines():
            log.log.add(entry())
        return len(log.lines())

    assert asyncio.run(scenario()) > 300


def test_lines_are_written_before_long(log: Log) -> None:
    async def scenario() -> None:
        log.log.add(entry())
        assert log.lines() == []
        await asyncio.to_thread(eventually, log.lines)

    asyncio.run(scenario())
    assert len(log.lines()) == 1


def test_a_pipe_gets_whole_lines_in_pieces_it_takes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    pieces: list[bytes] = []

    def write(_: int, data: bytes) -> int:
        pieces.append(data)
        return len(data)

    monkeypatch.setattr(os, "write", write)

    async def scenario() -> None:
        log = AccessLog(writer)
        for _ in range(100):
            log.add(entry())
        log.add(entry(path="/" + "a" * 9000))
        log.add(entry())
        log.flush()

    asyncio.run(scenario())
    os.close(reader)
    os.close(writer)
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert sum(piece.count(b"\n") for piece in pieces) == 102
    assert sorted(len(piece) > 4096 for piece in pieces) == [False] * (len(pieces) - 1) + [True]


def test_a_log_that_cannot_be_written_is_told_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        log = AccessLog(os.open(os.devnull, os.O_RDONLY))
        log.add(entry())
        log.flush()
        log.add(entry())
        log.flush()
        os.close(log._file)

    asyncio.run(scenario())
    assert caplog.text.count("access log: up to 1 lines are lost") == 2


# Through a server


def test_every_response_is_a_line(logged: Server, log: Log, site: Site, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(100_000))
    site.handlers["/file"] = file_at(path)
    site.handlers["/é\n"] = text(b"four", 201)
    with logged.connect() as wire:
        wire.get("/file?token=secret")
        wire.get("/%C3%A9%0A", method="PUT")
        wire.get("/file", method="HEAD")
        assert eventually(lambda: len(log.lines()) == 3)
        host, port = wire.sock.getsockname()
    told = [(line["method"], line["path"], line["status"], line["bytes"]) for line in log.lines()]
    assert told == [("GET", "/file", 200, 100_000), ("PUT", "/é\n", 201, 4), ("HEAD", "/file", 200, 0)]
    assert {line["remote"] for line in log.lines()} == {f"{host}:{port}"}
    assert all(line["ms"] >= 0 for line in log.lines())


def test_pipelined_responses_count_their_own_bytes(logged: Server, log: Log, site: Site) -> None:
    for size in (1, 22, 333):
        site.handlers[f"/{size}"] = text(b"x" * size)
    with logged.connect() as wire:
        wire.send(head("GET", "/333"), head("GET", "/1"), head("GET", "/22"))
        for _ in range(3):
            wire.answer()
        assert eventually(lambda: len(log.lines()) == 3)
    assert [line["bytes"] for line in log.lines()] == [333, 1, 22]


def test_the_applications_fields_are_added(logged: Server, log: Log, site: Site) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["access"] = {"principal": "alice", "repository": "library/alpine"}
        await text(b"")(scope, receive, send)

    site.handlers["/"] = answer
    with logged.connect() as wire:
        wire.get("/")
        wire.get("/elsewhere")
        assert eventually(lambda: len(log.lines()) == 2)
    first, second = log.lines()
    assert (first["principal"], first["repository"]) == ("alice", "library/alpine")
    assert "principal" not in second


def test_a_refused_request_is_a_line_too(logged: Server, log: Log, site: Site) -> None:
    with logged.connect() as wire:
        wire.send(b"nonsense\r\n\r\n")
        assert wire.answer().status == 400
        assert eventually(lambda: len(log.lines()) == 1)
    [line] = log.lines()
    assert (line["status"], line["method"], line["refused"]) == (400, None, "malformed request")


def test_a_body_that_breaks_is_a_line_with_its_request(logged: Server, log: Log, site: Site) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    site.handlers["/up"] = answer
    with logged.connect() as wire:
        wire.send(head("PUT", "/up", "Transfer-Encoding: chunked"))
        assert eventually(lambda: bool(site.requests))
        wire.send(b"nonsense")
        assert wire.answer().status == 400
        assert eventually(lambda: len(log.lines()) == 1)
    [line] = log.lines()
    assert (line["method"], line["path"], line["status"]) == ("PUT", "/up", 400)


@pytest.mark.parametrize("started", [True, False])
def test_a_client_that_left_is_told_in_the_line(logged: Server, log: Log, site: Site, started: bool) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if started:
            await start(send, 10)
            await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    site.handlers["/"] = answer
    with logged.connect() as wire:
        wire.send(head("GET", "/"))
        assert eventually(lambda: bool(site.requests))
        if started:
            wire._until(b"abc")
        wire.reset()
        assert eventually(lambda: len(log.lines()) == 1)
    [line] = log.lines()
    assert (line["aborted"], line["status"], line["bytes"]) == (True, 200 if started else None, 3 if started else 0)


def test_what_is_left_is_written_when_the_server_stops(site: Site, log: Log) -> None:
    server = Server(site, "uvloop", limits=BRISK, log=log.log)
    server.begin()
    with server.connect() as wire:
        wire.get("/")
    server.stop()
    assert len(log.lines()) == 1
