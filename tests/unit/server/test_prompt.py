"""What is answered at once is on the wire what would have been sent in turn; and some is never asked for at once."""

from __future__ import annotations

import asyncio

import pytest

from registry.server.prompt import rendered
from tests.unit.server.site import PromptSite, Receive, Reply, Scope, Send, Server, text
from tests.unit.server.wire import chunked, head

TYPE = (b"content-type", b"text/plain")


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


# On the wire


def test_a_prompt_reply_is_a_whole_response(any_server: Server, site: PromptSite) -> None:
    site.replies["/"] = Reply(200, (TYPE, (b"x-two", b"a, b")), b"root")
    with any_server.connect() as wire:
        wire.send(head("GET", "/"))
        assert wire._until(b"\r\n") == b"HTTP/1.1 200 OK\r\n"
        fields = wire._until(b"\r\n\r\n").decode().split("\r\n")[:-2]
        assert fields[0].startswith("date: ")
        assert fields[1:] == ["content-type: text/plain", "x-two: a, b", "content-length: 4"]
        assert wire.read(4) == b"root"
        assert wire.get("/").body == b"root"
    assert site.requests == []


@pytest.mark.parametrize("status", [200, 201, 206, 400, 401, 404, 416, 429, 500, 503])
def test_a_prompt_reply_is_what_the_same_application_would_have_sent_in_its_turn(
    any_server: Server, site: PromptSite, status: int
) -> None:
    headers = (TYPE, (b"www-authenticate", b'Bearer realm="r"'))
    site.replies["/prompt"] = Reply(status, ((b"content-length", b"4"), *headers), b"body")
    site.handlers["/ordinary"] = text(b"body", status, *headers)
    with any_server.connect() as wire:
        answers = [wire.get("/prompt"), wire.get("/ordinary")]
    for answer in answers:
        assert answer.headers.pop("date").endswith(" GMT")
    assert answers[0] == answers[1]
    assert list(answers[0].headers) == list(answers[1].headers)


def test_every_request_of_a_connection_may_be_answered_at_once(any_server: Server, site: PromptSite) -> None:
    with any_server.connect() as wire:
        for number in range(50):
            site.replies["/"] = Reply(body=b"%d" % number)
            assert wire.get("/").body == b"%d" % number
    assert paths(site) == ["/"] * 50
    assert site.requests == []


def test_head_has_the_headers_of_get_and_no_body(any_server: Server, site: PromptSite) -> None:
    site.replies["/told"] = Reply(200, (TYPE, (b"content-length", b"12345")), b"told")
    site.replies["/bare"] = Reply(200, ((b"content-length", b"7"),))
    with any_server.connect() as wire:
        assert wire.get("/told", method="HEAD").headers["content-length"] == "12345"
        assert wire.get("/bare", method="HEAD").headers["content-length"] == "7"
        # A byte of body would be taken for the beginning of this one.
        assert wire.get("/elsewhere").status == 404


def test_head_without_a_length_claims_none(server: Server, site: PromptSite) -> None:
    site.replies["/"] = Reply(body=b"root")
    with server.connect() as wire:
        assert "content-length" not in wire.get("/", method="HEAD").headers
        assert wire.get("/").body == b"root"


def test_a_missing_length_is_added_and_a_given_one_is_not_repeated(server: Server, site: PromptSite) -> None:
    site.replies["/missing"] = Reply(body=b"four")
    site.replies["/given"] = Reply(headers=((b"content-length", b"4"),), body=b"four")
    site.replies["/empty"] = Reply(404)
    with server.connect() as wire:
        for target, length in (("/missing", b"4"), ("/given", b"4"), ("/empty", b"0")):
            wire.send(head("GET", target))
            fields = wire._until(b"\r\n\r\n")
            assert fields.count(b"content-length: " + length + b"\r\n") == fields.count(b"content-length") == 1
            wire.read(int(length))


@pytest.mark.parametrize("status", [204, 304])
def test_a_response_that_has_no_body_gets_no_length(any_server: Server, site: PromptSite, status: int) -> None:
    site.replies["/"] = Reply(status, ((b"etag", b'"a"'),))
    with any_server.connect() as wire:
        answer = wire.get("/")
        assert (answer.status, answer.headers["etag"]) == (status, '"a"')
        assert "content-length" not in answer.headers
        assert wire.get("/elsewhere").status == 404


WRONG = {
    "a length too long": Reply(headers=((b"content-length", b"5"), (b"x-secret", b"s3cret")), body=b"four"),
    "a length too short": Reply(headers=((b"content-length", b"3"), (b"x-secret", b"s3cret")), body=b"four"),
    "no number": Reply(headers=((b"content-length", b"four"), (b"x-secret", b"s3cret")), body=b"four"),
    "a line feed": Reply(headers=((b"x-secret", b"s3cret\nx-forged: 1"),)),
    "a carriage return": Reply(headers=((b"x-secret", b"s3cret\rx"),)),
    "nothing": Reply(headers=((b"x-secret", b"s3cret\x00"),)),
    "delete": Reply(headers=((b"x-secret", b"s3cret\x7f"),)),
    "a name of two lines": Reply(headers=((b"x-s3cret\r\nx", b"1"),)),
    "no such status": Reply(99999, ((b"x-secret", b"s3cret"),)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_http_forbids_is_a_500_and_never_reaches_the_wire(
    any_server: Server, site: PromptSite, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    site.replies["/wrong"] = WRONG[wrong]
    site.replies["/right"] = Reply(body=b"right")
    with any_server.connect() as wire:
        wire.send(head("GET", "/right"), head("GET", "/wrong"), head("GET", "/right"))
        assert wire.answer().body == b"right"
        rest = wire.rest()
    assert rest.startswith(b"HTTP/1.1 500 ")
    assert rest.count(b"HTTP/1.1") == 1
    assert b"s3cret" not in rest
    assert "could not be read" in caplog.text


@pytest.mark.parametrize("status", [200, 204])
def test_a_tab_and_any_byte_that_is_no_control_character_may_stand_in_a_value(status: int) -> None:
    odd = bytes([9, *range(0x20, 0x7F), *range(0x80, 0x100)])
    _, rest, _ = rendered(Reply(status, ((b"x-odd", odd),)), is_head=False)
    assert b"x-odd: " + odd + b"\r\n" in rest


@pytest.mark.parametrize("number", [*range(9), *range(10, 0x20), 0x7F])
@pytest.mark.parametrize("where", ["name", "value", "a later value"])
def test_no_control_character_is_rendered(number: int, where: str) -> None:
    odd = b"x%cx" % number
    headers = {"name": (TYPE, (odd, b"1")), "value": ((b"x", odd),), "a later value": (TYPE, TYPE, (b"x", odd))}
    with pytest.raises(ValueError, match="control character"):
        rendered(Reply(headers=headers[where]), is_head=False)


def test_a_body_may_hold_anything(server: Server, site: PromptSite) -> None:
    anything = bytes(range(256)) + b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    site.replies["/"] = Reply(body=anything)
    with server.connect() as wire:
        assert wire.get("/").body == anything


def test_an_application_that_fails_at_once_is_a_500(
    any_server: Server, site: PromptSite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(scope: Scope, asked_again: bool) -> Reply:
        raise LookupError("s3cret")

    monkeypatch.setattr(site, "at_once", fail)
    with any_server.connect() as wire:
        wire.send(head("GET", "/"))
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (500, "close")
        assert b"s3cret" not in answer.body
        assert wire.is_closed()
    assert "s3cret" in caplog.text


# Who is asked


BODIES = {
    "counted": (["Content-Length: 4"], b"body"),
    "chunked": (["Transfer-Encoding: chunked"], chunked(b"body")),
    "expecting": (["Content-Length: 4", "Expect: 100-continue"], b"body"),
    "chunked to nothing": (["Transfer-Encoding: chunked"], chunked()),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_request_with_a_body_is_answered_in_its_turn(any_server: Server, site: PromptSite, body: str) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        whole = message["body"]
        while message["more_body"]:
            message = await receive()
            whole += message["body"]
        await text(b"read " + whole)(scope, receive, send)

    site.handlers["/"] = answer
    fields, content = BODIES[body]
    with any_server.connect() as wire:
        wire.send(head("GET", "/", *fields), content)
        assert wire.answer().body == b"read " + (b"" if body == "chunked to nothing" else b"body")
        site.replies["/"] = Reply(body=b"prompt")
        assert wire.get("/").body == b"prompt"
    assert site.requests == [("GET", "/")]
    assert paths(site) == ["/"]


def test_a_length_of_nothing_is_no_body(any_server: Server, site: PromptSite) -> None:
    site.replies["/"] = Reply(body=b"prompt")
    with any_server.connect() as wire:
        assert wire.get("/", "Content-Length: 0").body == b"prompt"
        assert wire.get("/").body == b"prompt"


LAST = {
    "close": head("GET", "/", "Connection: close"),
    "old": b"GET / HTTP/1.0\r\n\r\n",
    "old and kept": b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "upgrade": head("GET", "/", "Connection: upgrade", "Upgrade: websocket"),
}


@pytest.mark.parametrize("last", LAST)
def test_the_last_request_of_a_connection_is_answered_in_its_turn(
    any_server: Server, site: PromptSite, last: str
) -> None:
    site.replies["/"] = Reply(body=b"prompt")
    site.handlers["/"] = text(b"ordinary")
    with any_server.connect() as wire:
        wire.send(LAST[last])
        answer = wire.answer()
        assert (answer.body, answer.headers["connection"]) == (b"ordinary", "close")
        assert wire.is_closed()
    assert site.asked == []


def test_an_application_that_is_returned_answers(any_server: Server, site: PromptSite) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)
        scope["state"]["access"] = {}
        await text(b"half-way " + scope["query_string"], 201)(scope, receive, send)

    site.replies["/"] = answer
    with any_server.connect() as wire:
        found = wire.get("/?1")
        assert (found.status, found.body) == (201, b"half-way 1")
        assert wire.get("/?2").body == b"half-way 2"
    assert site.requests == []


def test_an_application_that_declines_is_asked_as_ever(any_server: Server, site: PromptSite) -> None:
    site.handlers["/"] = text(b"ordinary")
    with any_server.connect() as wire:
        assert wire.get("/").body == b"ordinary"
    assert site.requests == [("GET", "/")]
    assert paths(site) == ["/"]


def test_the_scope_is_the_one_that_an_application_would_get(
    any_server: Server, site: PromptSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Scope] = []

    def at_once(scope: Scope, asked_again: bool) -> Reply | PromptSite:
        seen.append(dict(scope))
        return Reply() if scope["query_string"] == b"at=once" else site

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await text(b"")(scope, receive, send)

    monkeypatch.setattr(site, "at_once", at_once)
    site.handlers["/a b/é"] = answer
    with any_server.connect() as wire:
        wire.get("/a%20b/%C3%A9?at=once", "X-Test: 1")
        wire.get("/a%20b/%C3%A9?in=turn", "X-Test: 1")
        assert seen[0]["client"] == wire.sock.getsockname()
    prompt, _, ordinary = seen
    ordinary.pop("extensions")
    assert (prompt.pop("query_string"), ordinary.pop("query_string")) == (b"at=once", b"in=turn")
    assert prompt == ordinary
    assert prompt["path"] == "/a b/é"
