"""An answer given before its request's body was read reaches the client, and no leftover byte becomes a request."""

from __future__ import annotations

import http.client
from datetime import timedelta

import pytest

from registry.server.limits import Limits
from tests.unit.server.conftest import BRISK, Begin
from tests.unit.server.site import Receive, Scope, Send, Server, Site, eventually, start, text
from tests.unit.server.wire import PATIENCE, chunked, head

SMUGGLED = head("GET", "/smuggled")
DRAINED = BRISK.drained


@pytest.fixture
def guard(site: Site) -> Site:
    site.handlers["/guarded"] = text(b"who are you?", 401)
    return site


@pytest.mark.parametrize("framed", ["counted", "chunked"])
@pytest.mark.parametrize("size", [1, 100_000, DRAINED])
def test_a_short_unread_body_is_drained_and_the_connection_goes_on(
    any_server: Server, guard: Site, framed: str, size: int
) -> None:
    with any_server.connect() as wire:
        for _ in range(2):
            if framed == "counted":
                wire.send(head("PUT", "/guarded", f"Content-Length: {size}"))
                answer = wire.answer()
                wire.send(b"x" * size)
            else:
                wire.send(head("PUT", "/guarded", "Transfer-Encoding: chunked"))
                answer = wire.answer()
                wire.send(chunked(b"x" * size))
            assert (answer.status, answer.headers.get("connection")) == (401, None)
        assert wire.get("/elsewhere").status == 404
    assert guard.requests == [("PUT", "/guarded")] * 2 + [("GET", "/elsewhere")]


def test_an_unread_body_that_looks_like_a_request_is_none(any_server: Server, guard: Site) -> None:
    with any_server.connect() as wire:
        wire.send(head("PUT", "/guarded", f"Content-Length: {len(SMUGGLED)}"))
        assert wire.answer().status == 401
        wire.send(SMUGGLED, head("GET", "/elsewhere"))
        assert wire.answer().status == 404
    assert guard.requests == [("PUT", "/guarded"), ("GET", "/elsewhere")]


def test_a_client_with_a_long_body_is_told_that_the_connection_ends_and_reads_why(
    any_server: Server, guard: Site
) -> None:
    with any_server.connect() as wire:
        wire.send(head("PUT", "/guarded", f"Content-Length: {64 * DRAINED}"))
        for _ in range(32):
            wire.send(bytes(DRAINED))
        wire.send(SMUGGLED)
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (401, "close")
        assert answer.body == b"who are you?"
    assert guard.requests == [("PUT", "/guarded")]


def test_a_client_that_sends_endless_chunks_reads_the_answer_too(any_server: Server, guard: Site) -> None:
    with any_server.connect() as wire:
        wire.send(head("PUT", "/guarded", "Transfer-Encoding: chunked"))
        for _ in range(32):
            wire.send(b"%x\r\n" % DRAINED, bytes(DRAINED), b"\r\n")
        assert wire.answer().status == 401
    assert guard.requests == [("PUT", "/guarded")]


def test_no_more_than_the_limit_is_drained(any_server: Server, guard: Site) -> None:
    with any_server.connect() as wire:
        wire.send(head("PUT", "/guarded", "Transfer-Encoding: chunked"))
        assert wire.answer().status == 401
        wire.send(chunked(bytes(DRAINED), b"one byte more"), SMUGGLED)
        assert wire.is_closed()
    assert guard.requests == [("PUT", "/guarded")]


def test_a_client_that_reads_only_after_it_has_sent_everything_reads_the_answer(server: Server, guard: Site) -> None:
    # The standard library's client is one of those.
    client = http.client.HTTPConnection(*server.address, timeout=PATIENCE)
    client.request("PUT", "/guarded", body=bytes(40 * DRAINED))
    answer = client.getresponse()
    assert (answer.status, answer.read()) == (401, b"who are you?")
    client.close()


def test_lingering_ends_when_the_client_does_not(begin: Begin, guard: Site) -> None:
    server = begin(limits=Limits(linger=timedelta(seconds=0.1), tick=timedelta(seconds=0.02)))
    with server.connect() as wire:
        wire.send(head("PUT", "/guarded", f"Content-Length: {64 * DRAINED}"))
        assert wire.answer().status == 401
        assert eventually(server.is_at_rest)


def test_lingering_shuts_the_writing_side_at_once(begin: Begin, guard: Site) -> None:
    server = begin(limits=Limits(linger=timedelta(hours=1)))
    with server.connect() as wire:
        wire.send(head("PUT", "/guarded", f"Content-Length: {64 * DRAINED}"))
        assert wire.answer().status == 401
        assert wire.is_closed()
        wire.send(bytes(100))
        assert len(server.server_state.connections) == 1
    assert eventually(server.is_at_rest)


def test_an_answer_before_100_ends_the_connection_and_says_no_100(any_server: Server, guard: Site) -> None:
    with any_server.connect() as wire:
        wire.send(head("PUT", "/guarded", "Content-Length: 5", "Expect: 100-continue"))
        answer = wire.answer()
        assert (answer.status, answer.interim, answer.headers["connection"]) == (401, [], "close")
        # Whether this is the body or the next request, nobody can know.
        wire.send(SMUGGLED)
    assert guard.requests == [("PUT", "/guarded")]


def test_a_body_sent_without_waiting_for_100_is_like_any_other(any_server: Server, guard: Site) -> None:
    with any_server.connect() as wire:
        wire.send(head("PUT", "/guarded", "Content-Length: 5", "Expect: 100-continue"), b"hello")
        assert wire.answer().status == 401
        assert wire.get("/elsewhere").status == 404


def test_an_application_that_fails_mid_body_answers_500_and_ends_the_connection(
    any_server: Server, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise LookupError("nobody expects this")

    site.handlers["/fails"] = fail
    with any_server.connect() as wire:
        wire.send(head("PUT", "/fails", "Content-Length: 1000"), b"abc")
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (500, "close")
        wire.send(SMUGGLED)
    assert site.requests == [("PUT", "/fails")]
    assert "nobody expects this" in caplog.text


def test_a_gatherer_that_is_late_learns_that_its_response_is_complete(server: Server, site: Site) -> None:
    told: list[BaseException] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await text(b"early")(scope, receive, send)
        try:
            await scope["extensions"]["entrepot.gather"]["receive"](10)
        except ConnectionError as error:
            told.append(error)

    site.handlers["/early"] = answer
    with server.connect() as wire:
        wire.send(head("PUT", "/early", "Content-Length: 1000"), b"abc")
        assert wire.answer().body == b"early"
        assert eventually(lambda: len(told) == 1)


def test_an_answer_may_begin_while_the_body_is_read(any_server: Server, site: Site) -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, None)
        more = True
        while more:
            chunks, more = await scope["extensions"]["entrepot.gather"]["receive"](3)
            await send({"type": "http.response.body", "body": b"".join(chunks), "more_body": more})

    site.handlers["/echo"] = echo
    with any_server.connect() as wire:
        wire.send(head("POST", "/echo", "Content-Length: 6"))
        wire._until(b"\r\n\r\n")
        wire.send(b"abc")
        assert wire.read(8) == b"3\r\nabc\r\n"
        wire.send(b"def")
        assert wire.read(13) == b"3\r\ndef\r\n0\r\n\r\n"
        assert wire.get("/elsewhere").status == 404
