"""Where a request came from: what a proxy of ours says of it, and what nobody else can make us believe."""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.server.access_log import AccessLog
from registry.server.forwarded import Network, Origin, Proxies
from tests.unit.server.conftest import Begin
from tests.unit.server.site import PromptSite, Receive, Reply, Scope, Send, Server, Site, eventually
from tests.unit.server.wire import Answer

CLIENT, FORGED, INNER, PEER = "198.51.100.7", "203.0.113.9", "10.0.0.2", "10.0.0.1"
XFF, PROTO, FORWARDED = "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded"


def proxies(text: str) -> Proxies:
    networks: list[Network] = [ipaddress.ip_network(each) for each in text.split(",")]
    return Proxies(tuple(networks))


def origin(*headers: tuple[str, str], of: str = "10.0.0.0/8,2001:db8:f::/48", peer: str = PEER) -> Origin:
    return proxies(of).origin(peer, [(name.lower().encode(), value.encode("latin-1")) for name, value in headers])


@pytest.mark.parametrize(
    ("told", "address"),
    [
        (CLIENT, CLIENT),
        (f"{FORGED}, {CLIENT}", CLIENT),
        (f"{FORGED}, {CLIENT}, {INNER}", CLIENT),
        (f"nonsense, {CLIENT},{INNER} ,", CLIENT),
        (f"{CLIENT}:54321", CLIENT),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:DB8::7]:443, 2001:db8:f::1", "2001:db8::7"),
        (f"::ffff:{CLIENT}", CLIENT),
        # Somebody inside: then the first of them is who asked.
        (f"10.9.9.9, {INNER}", "10.9.9.9"),
    ],
)
def test_the_client_is_the_last_that_is_no_proxy_of_ours(told: str, address: str) -> None:
    assert origin((XFF, told)) == Origin(address, None)


@pytest.mark.parametrize(
    "told",
    ["", ",", "unknown", f"{CLIENT}, unknown", f"{CLIENT}, {INNER}, x", f"{CLIENT} {CLIENT}", "1.2.3", "256.1.1.1",
     "[2001:db8::1", "::1]", "fe80::1%eth0", "1.2.3.4:999999", "\xe9", "<script>", f"{CLIENT}\t{FORGED}"],
)  # fmt: skip
def test_what_is_no_address_where_one_counts_tells_nothing(told: str) -> None:
    assert origin((XFF, told)) == Origin(PEER, None)


def test_lines_of_one_name_are_one_list() -> None:
    assert origin((XFF, FORGED), ("Other", "x"), (XFF, CLIENT), (XFF, INNER)).address == CLIENT


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (f"for={CLIENT}", Origin(CLIENT, None)),
        (f"for={FORGED}, For={CLIENT};Proto=https;by=10.0.0.3", Origin(CLIENT, "https")),
        (f'proto=http; for="{CLIENT}:4711" , for={INNER}', Origin(CLIENT, "http")),
        ('for="[2001:db8:cafe::17]:4711"', Origin("2001:db8:cafe::17", None)),
        (f'for={FORGED};by="a, for=x;", for={CLIENT}', Origin(CLIENT, None)),
        *[
            (told, Origin(PEER, None))
            for told in (
                "for=unknown", "for=_hidden", "proto=https", f"for={CLIENT}, for=_x", f"{CLIENT}", f'for="{CLIENT}',
                f'for="{CLIENT}\\""', "for", "=", f"for={CLIENT};;=",
            )
        ],
    ],
)  # fmt: skip
def test_the_standard_header_is_read_where_only_that_is_there(told: str, expected: Origin) -> None:
    assert origin((FORWARDED, told)) == expected


def test_the_common_header_goes_before_the_standard_one() -> None:
    assert origin((FORWARDED, f"for={FORGED};proto=http"), (XFF, CLIENT), (PROTO, "https")) == Origin(CLIENT, "https")


@pytest.mark.parametrize("told", ["ftp", "https,http", "", "javascript", "https "])
def test_a_scheme_that_is_none_of_ours_is_not_believed(told: str) -> None:
    assert origin((XFF, CLIENT), (PROTO, told)).scheme is None


@given(st.text(st.characters(codec="latin-1")), st.sampled_from([XFF, FORWARDED]))
def test_whatever_a_header_says_the_answer_is_an_address(told: str, name: str) -> None:
    assert ipaddress.ip_address(origin((name, told)).address)


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8:f::2"])
def test_a_proxy_is_known_by_its_network(peer: str) -> None:
    assert proxies("10.0.0.0/8,2001:db8:f::/48").trust(peer)


@pytest.mark.parametrize("peer", ["11.0.0.1", "2001:db8:e::2", "", "localhost", "::10.0.0.1"])
def test_nobody_else_is(peer: str) -> None:
    assert not proxies("10.0.0.0/8,2001:db8:f::/48").trust(peer)
    assert not Proxies().trust(peer)


# Through a server


async def tell(scope: Scope, receive: Receive, send: Send) -> None:
    """Who asked, as an application sees it."""
    body = json.dumps([*scope["client"], scope["scheme"]]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def seen(server: Server, *headers: str) -> list[object]:
    with server.connect() as wire:
        answer: Answer = wire.get("/who", *headers)
        *found, port = json.loads(answer.body)[0::2], json.loads(answer.body)[1]
        return [*found[0], port == wire.sock.getsockname()[1]]


def test_behind_a_trusted_proxy_the_application_sees_the_client(begin: Begin, site: Site) -> None:
    server = begin(proxies=proxies("127.0.0.0/8"))
    site.handlers["/who"] = tell
    assert seen(server, f"{XFF}: {FORGED}, {CLIENT}", f"{PROTO}: https") == [CLIENT, "https", False]
    assert seen(server) == ["127.0.0.1", "http", False]


@pytest.mark.parametrize("trusted", ["192.0.2.1", "::1"])
def test_nobody_else_can_say_where_it_comes_from(begin: Begin, site: Site, trusted: str) -> None:
    server = begin(proxies=proxies(trusted))
    site.handlers["/who"] = tell
    for headers in ([f"{XFF}: {CLIENT}", f"{PROTO}: https"], [f"{FORWARDED}: for={CLIENT};proto=https"]):
        assert seen(server, *headers) == ["127.0.0.1", "http", True]


@pytest.fixture
def shared_site() -> PromptSite:
    return PromptSite()


def test_the_log_tells_of_the_client_repeats_included(begin: Begin, shared_site: PromptSite, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    server = begin(proxies=proxies("127.0.0.1"), log=AccessLog(number))
    shared_site.replies["/"] = Reply(body=b"root", holds=lambda: True)
    with server.connect() as wire:
        for client in (CLIENT, FORGED):
            for _ in range(4):
                assert wire.get("/", f"{XFF}: {client}").body == b"root"
        wire.get("/", f"{XFF}: 1\r\nX: {{}}")
        host = wire.sock.getsockname()[0]
    assert eventually(lambda: len(path.read_text().splitlines()) == 9)
    told = [json.loads(line)["remote"] for line in path.read_text().splitlines()]
    assert told == [CLIENT] * 4 + [FORGED] * 4 + [host]
    assert len(shared_site.asked) < 9
    os.close(number)


def test_what_was_kept_for_a_proxy_answers_nobody_who_forges_its_bytes(begin: Begin, shared_site: PromptSite) -> None:
    server = begin(proxies=proxies("127.0.0.1"))
    shared_site.replies["/"] = Reply(body=b"root", holds=lambda: True)
    with server.connect("127.0.0.1") as ours, server.connect("127.0.0.2") as theirs:
        for _ in range(3):
            ours.get("/", f"{XFF}: {CLIENT}")
        assert len(shared_site.asked) == 2
        theirs.get("/", f"{XFF}: {CLIENT}")
        assert len(shared_site.asked) == 3
