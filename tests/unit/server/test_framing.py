"""No request is read in two ways: every shape that smuggles is refused, and the connection ends with it."""

from __future__ import annotations

import pytest

from registry.server.framing import Refusal, framing
from registry.server.limits import Limits
from tests.unit.server.conftest import Begin
from tests.unit.server.site import Receive, Scope, Send, Server, Site, eventually, gather_all, text
from tests.unit.server.wire import head

H = b"Host: registry.test\r\n"
POST = b"POST /up HTTP/1.1\r\n" + H
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + H + b"\r\n"

REFUSED_HEADS = {
    "length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "one length twice": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "a negative length": POST + b"Content-Length: -3\r\n\r\nabc",
    "a signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "a hexadecimal length": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "an empty length": POST + b"Content-Length:\r\n\r\n",
    "a length with a gap": POST + b"Content-Length: 1 0\r\n\r\n0123456789",
    "a length with an underscore": POST + b"Content-Length: 1_0\r\n\r\n0123456789",
    "a length after a vertical tab": POST + b"Content-Length: \x0b3\r\n\r\nabc",
    "a length beyond 64 bits": POST + b"Content-Length: 18446744073709551617\r\n\r\na",
    "gzip and chunks": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunks in two fields": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity in another field": POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\nabc",
    "almost chunks": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks with a parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "quoted chunks": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "chunks after a comma": POST + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
    "chunks after a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "no encoding": POST + b"Transfer-Encoding:\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /up HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "tab before the colon": POST + b"Content-Length\t: 3\r\n\r\nabc",
    "a folded field": POST + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a folded encoding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a field before it begins": b"POST /up HTTP/1.1\r\n X: a\r\n" + H + b"\r\n",
    "LF after the request line": b"POST /up HTTP/1.1\n" + H + b"\r\n",
    "LF after a field": POST + b"X: a\nContent-Length: 0\r\n\r\n",
    "LF for the empty line": POST + b"Content-Length: 0\r\n\n",
    "CR inside a value": POST + b"X: a\rb\r\nContent-Length: 0\r\n\r\n",
    "NUL inside a value": POST + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "NUL inside a name": POST + b"X\0: a\r\nContent-Length: 0\r\n\r\n",
    "NUL inside the target": b"GET /a\0b HTTP/1.1\r\n" + H + b"\r\n",
    "a field without a name": POST + b": a\r\n\r\n",
    "a field without a colon": POST + b"Xa\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a target without a path": b"CONNECT a:1 HTTP/1.1\r\n" + H + b"\r\n",
    "an absolute target without a path": b"GET http://registry.test HTTP/1.1\r\n" + H + b"\r\n",
    "no method": b" / HTTP/1.1\r\n" + H + b"\r\n",
    "a method nobody knows": b"FETCH / HTTP/1.1\r\n" + H + b"\r\n",
    "TLS on a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    "upgrade with a body": POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 50\r\n\r\n",
    "upgrade with chunks": POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n",
}

REFUSED_BODIES = {
    "a negative size": b"-3\r\nabc\r\n0\r\n\r\n",
    "a signed size": b"+3\r\nabc\r\n0\r\n\r\n",
    "a prefixed size": b"0x3\r\nabc\r\n0\r\n\r\n",
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "no hexadecimal size": b"g\r\nabc\r\n0\r\n\r\n",
    "space after the size": b"3 \r\nabc\r\n0\r\n\r\n",
    "space before the size": b" 3\r\nabc\r\n0\r\n\r\n",
    "space before an extension": b"3 ;a\r\nabc\r\n0\r\n\r\n",
    "a size beyond 64 bits": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "an underscore in the size": b"1_0\r\nabc\r\n0\r\n\r\n",
    "LF after the size": b"3\nabc\r\n0\r\n\r\n",
    "CR after the size": b"3\rabc\r\n0\r\n\r\n",
    "LF inside an extension": b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "LF after the chunk": b"3\r\nabc\n0\r\n\r\n",
    "a chunk longer than its size": b"3\r\nabcd\r\n0\r\n\r\n",
    "LF at the end": b"3\r\nabc\r\n0\r\n\n",
    "a length as trailer": b"3\r\nabc\r\n0\r\nContent-Length: 50\r\n\r\n",
}


@pytest.fixture
def upload(site: Site) -> list[list[bytes]]:
    taken: list[list[bytes]] = []
    site.handlers["/up"] = gather_all(1000, taken)
    site.handlers["/"] = text(b"root")
    return taken


@pytest.mark.parametrize("shape", REFUSED_HEADS)
def test_a_head_that_could_be_read_in_two_ways_is_refused(
    server: Server, site: Site, upload: list[list[bytes]], shape: str
) -> None:
    with server.connect() as wire:
        wire.send(REFUSED_HEADS[shape], SMUGGLED)
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert wire.is_closed()
    assert site.requests == []


@pytest.mark.parametrize("shape", REFUSED_HEADS)
def test_it_is_refused_byte_by_byte_too(server: Server, site: Site, upload: list[list[bytes]], shape: str) -> None:
    with server.connect() as wire:
        wire.send_byte_by_byte(REFUSED_HEADS[shape])
        wire.send(SMUGGLED)
        assert wire.answer().status == 400
        assert wire.is_closed()
    assert site.requests == []


@pytest.mark.parametrize("shape", REFUSED_BODIES)
@pytest.mark.parametrize("way", ["at once", "byte by byte"])
def test_a_body_that_could_be_read_in_two_ways_is_refused(
    server: Server, site: Site, upload: list[list[bytes]], shape: str, way: str
) -> None:
    with server.connect() as wire:
        wire.send(CHUNKED)
        if way == "at once":
            wire.send(REFUSED_BODIES[shape], SMUGGLED)
        else:
            wire.send_byte_by_byte(REFUSED_BODIES[shape] + SMUGGLED)
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert wire.is_closed()
    assert eventually(server.is_at_rest)
    # The head was sound, so its application may have begun; what was hidden in the body reached none.
    assert set(site.requests) <= {("POST", "/up")}


@pytest.mark.parametrize(
    "fields",
    [
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: Chunked \r\n",
        b"TRANSFER-ENCODING:chunked\r\n",
    ],
)
@pytest.mark.parametrize("body", [b"3\r\nabc\r\n0\r\n\r\n", b"3;ext=1\r\nabc\r\n000\r\n\r\n"])
def test_chunks_are_read(server: Server, site: Site, upload: list[list[bytes]], fields: bytes, body: bytes) -> None:
    with server.connect() as wire:
        wire.send(POST, fields, b"\r\n", body)
        assert wire.answer().body == b"3"
        assert wire.get("/").body == b"root"


@pytest.mark.parametrize("value", [b"3", b" 3 \t", b"\t3", b"003"])
def test_lengths_are_read(server: Server, site: Site, upload: list[list[bytes]], value: bytes) -> None:
    with server.connect() as wire:
        wire.send(POST, b"Content-Length:", value, b"\r\n\r\nabc")
        assert wire.answer().body == b"3"
        assert wire.get("/").body == b"root"


def test_a_trailer_is_not_a_header(server: Server, site: Site) -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await gather_all(1000, [])(scope, receive, send)
        seen.extend(scope["headers"])

    site.handlers["/up"] = answer
    with server.connect() as wire:
        wire.send(CHUNKED, b"3\r\nabc\r\n0\r\nAuthorization: Basic YTpi\r\nExpect: 100-continue\r\n\r\n")
        assert wire.answer().body == b"3"
        assert wire.get("/").status == 404
    assert [name for name, _ in seen] == [b"host", b"transfer-encoding"]


def test_header_values_come_without_the_space_around_them(server: Server, site: Site) -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(scope["headers"])
        await text(b"")(scope, receive, send)

    site.handlers["/"] = answer
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\n", H, b"X-Both: \t a b \t\r\nX-None:\r\nX-Space: \r\n\r\n")
        assert wire.answer().status == 200
    assert seen[1:] == [(b"x-both", b"a b"), (b"x-none", b""), (b"x-space", b"")]


@pytest.mark.parametrize("version", [b"0.9", b"2.0"])
def test_other_versions_of_http_are_refused(server: Server, site: Site, version: bytes) -> None:
    with server.connect() as wire:
        wire.send(b"GET / HTTP/", version, b"\r\n", H, b"\r\n")
        assert wire.answer().status == 505
        assert wire.is_closed()
    assert site.requests == []


def test_what_follows_an_upgrade_nobody_grants_is_not_read(server: Server, site: Site) -> None:
    site.handlers["/"] = text(b"root")
    with server.connect() as wire:
        wire.send(head("GET", "/", "Connection: Upgrade", "Upgrade: h2c"), SMUGGLED)
        answer = wire.answer()
        assert (answer.body, answer.headers["connection"]) == (b"root", "close")
        assert wire.is_closed()
    assert site.requests == [("GET", "/")]


@pytest.mark.parametrize("last", [head("GET", "/", "Connection: close"), b"GET / HTTP/1.0\r\n" + H + b"\r\n"])
def test_what_follows_the_last_request_is_not_read(server: Server, site: Site, last: bytes) -> None:
    site.handlers["/"] = text(b"root")
    with server.connect() as wire:
        wire.send(last, SMUGGLED)
        assert wire.answer().body == b"root"
        assert wire.is_closed()
    assert site.requests == [("GET", "/")]


def test_http_1_0_keeps_no_connection_whatever_it_asks(server: Server, site: Site) -> None:
    site.handlers["/"] = text(b"root")
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", SMUGGLED)
        assert wire.answer().body == b"root"
        assert wire.is_closed()
    assert site.requests == [("GET", "/")]


def test_a_refusal_waits_for_the_requests_before_it(server: Server, site: Site, upload: list[list[bytes]]) -> None:
    with server.connect() as wire:
        wire.send(head("GET", "/"), head("GET", "/"), REFUSED_HEADS["two lengths"], SMUGGLED)
        assert [wire.answer().status for _ in range(3)] == [200, 200, 400]
        assert wire.is_closed()
    assert site.requests == [("GET", "/")] * 2


def test_a_queued_request_with_a_broken_body_never_begins(
    server: Server, site: Site, upload: list[list[bytes]]
) -> None:
    with server.connect() as wire:
        wire.send(head("GET", "/"), CHUNKED, b"-1\r\n", SMUGGLED)
        assert [wire.answer().status for _ in range(2)] == [200, 400]
        assert wire.is_closed()
    assert site.requests == [("GET", "/")]


def test_a_body_that_breaks_after_the_answer_began_breaks_the_answer(server: Server, site: Site) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    site.handlers["/up"] = answer
    with server.connect() as wire:
        wire.send(CHUNKED)
        wire._until(b"\r\n\r\nabc")
        wire.send(b"-1\r\n", SMUGGLED)
        assert wire.is_closed()
    assert eventually(server.is_at_rest)
    assert site.requests == [("POST", "/up")]


# Limits


@pytest.fixture
def narrow(begin: Begin) -> Server:
    return begin(limits=Limits(url=100, head=1000))


@pytest.mark.parametrize("way", ["at once", "byte by byte"])
def test_a_target_beyond_the_limit_is_refused(narrow: Server, site: Site, way: str) -> None:
    site.handlers["/" + "a" * 99] = text(b"fits")
    with narrow.connect() as wire:
        assert wire.get("/" + "a" * 99).body == b"fits"
        request = head("GET", "/" + "a" * 100)
        wire.send(request) if way == "at once" else wire.send_byte_by_byte(request)
        assert wire.answer().status == 414
        assert wire.is_closed()
    assert len(site.requests) == 1


@pytest.mark.parametrize("way", ["one field at once", "one field byte by byte", "many fields"])
def test_header_fields_beyond_the_limit_are_refused(narrow: Server, site: Site, way: str) -> None:
    fields = ["X: " + "a" * 2000] if way.startswith("one") else ["X: " + "a" * 50] * 40
    with narrow.connect() as wire:
        request = head("GET", "/", *fields)
        wire.send_byte_by_byte(request) if "byte by byte" in way else wire.send(request)
        assert wire.answer().status == 431
        assert wire.is_closed()
    assert site.requests == []


def test_a_field_that_never_ends_is_refused(narrow: Server, site: Site) -> None:
    with narrow.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(100):
            try:
                wire.send(b"a" * 100)
            except ConnectionError:
                break
        assert wire.answer().status == 431


def test_header_fields_within_the_limit_are_read(narrow: Server, site: Site) -> None:
    with narrow.connect() as wire:
        for _ in range(5):
            assert wire.get("/", *["X: " + "a" * 90] * 9).status == 404


@pytest.mark.parametrize("before", [b"", b"3\r\nabc\r\n0\r\n"])
def test_a_body_may_not_spend_endlessly_on_framing(
    narrow: Server, site: Site, upload: list[list[bytes]], before: bytes
) -> None:
    with narrow.connect() as wire:
        wire.send(CHUNKED, before)
        endless = b"3;" if before == b"" else b"X: "
        wire.send(endless)
        assert eventually(lambda: len(site.requests) == 1)
        for _ in range(100):
            try:
                wire.send(b"a" * 100)
            except ConnectionError:
                break
        assert wire.answer().status == 400


# The rule alone


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], (0, False)),
        ([(b"content-length", b"5")], (5, False)),
        ([(b"transfer-encoding", b"chunked")], (None, False)),
        ([(b"content-length", b"5"), (b"expect", b"100-Continue")], (5, True)),
        ([(b"content-length", b"0"), (b"expect", b"100-continue")], (0, False)),
        ([(b"content-length", b"5"), (b"expect", b"something else")], (5, False)),
    ],
)
def test_the_length_of_a_body(headers: list[tuple[bytes, bytes]], expected: tuple[int | None, bool]) -> None:
    assert framing("1.1", [(b"host", b"a"), *headers], 1000) == expected


@pytest.mark.parametrize(
    ("version", "headers", "status"),
    [
        # llhttp refuses these itself; another parser, or another version of it, may not.
        ("1.1", [(b"content-length", b"3"), (b"content-length", b"3")], 400),
        ("1.1", [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")], 400),
        ("1.1", [(b"content-length", b"-3")], 400),
        ("1.1", [(b"content-length", b"+3")], 400),
        ("1.1", [(b"content-length", b"1_0")], 400),
        ("1.1", [(b"content-length", "٣".encode())], 400),
        ("1.1", [(b"content-length", b"")], 400),
        ("1.1", [(b"transfer-encoding", b"identity")], 400),
        ("1.0", [(b"transfer-encoding", b"chunked")], 400),
        ("2.0", [], 505),
        ("1.1", [(b"x", b"a" * 1000)], 431),
    ],
)
def test_heads_are_refused(version: str, headers: list[tuple[bytes, bytes]], status: int) -> None:
    with pytest.raises(Refusal) as refusal:
        framing(version, [(b"host", b"a"), *headers], 1000)
    assert refusal.value.status == status
