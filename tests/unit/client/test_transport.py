"""`client.transport`: redirects, second attempts, and what is never said to a stranger."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest

from registry.client.connections import Connections
from registry.client.errors import Malformed, Unanswered, Untrusted
from registry.client.origin import Origin
from registry.client.transport import Transport, retry_after
from tests.support.elsewhere import Elsewhere, Reply, several
from tests.support.server import free_port
from tests.support.tls import Certificate
from tests.unit.client.conftest import HURRIED

PASS = "Basic c2VjcmV0"
LIMIT = 1 << 20


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def transport(elsewhere: Elsewhere, pauses: list[float]) -> Iterator[Transport]:
    with closing(Transport(Origin.of(elsewhere.url), patience=HURRIED, sleep=pauses.append)) as transport:
        yield transport


@pytest.fixture
def hosts() -> Iterator[Sequence[Elsewhere]]:
    with several(2) as hosts:
        yield hosts


def to(url: str, status: int = 307) -> Reply:
    return Reply(status, b"moved", {"Location": url})


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_who_says_to_come_again_is_asked_again(
    elsewhere: Elsewhere, transport: Transport, pauses: list[float], status: int
) -> None:
    elsewhere.instead["/x"] = [Reply(status), Reply(status), Reply(200, b"now")]
    assert transport.read(f"{elsewhere.url}/x", LIMIT).body == b"now"
    assert len(pauses) == 2
    assert all(0 < each <= HURRIED.longest_pause for each in pauses)


def test_a_pause_is_as_long_as_the_registry_asks_for(
    elsewhere: Elsewhere, transport: Transport, pauses: list[float]
) -> None:
    elsewhere.instead["/x"] = [Reply(429, headers={"Retry-After": "0"}), Reply(200)]
    transport.read(f"{elsewhere.url}/x", LIMIT)
    assert 0 < pauses[0] <= HURRIED.longest_pause
    patient = Transport(Origin.of(elsewhere.url), sleep=pauses.append)
    elsewhere.instead["/x"] = [Reply(503, headers={"Retry-After": "37"}), Reply(200)]
    with closing(patient):
        patient.read(f"{elsewhere.url}/x", LIMIT)
    assert pauses[1] == 37


def test_a_registry_that_wants_a_longer_pause_than_we_have_is_given_up_at_once(
    elsewhere: Elsewhere, transport: Transport, pauses: list[float]
) -> None:
    elsewhere.always["/x"] = Reply(429, headers={"Retry-After": "21600"})
    with pytest.raises(Unanswered, match="answers 429, and wants 21600 s of pause"):
        transport.read(f"{elsewhere.url}/x", LIMIT)
    assert not pauses
    assert len(elsewhere.seen) == 1


def test_nobody_is_asked_for_ever(elsewhere: Elsewhere, transport: Transport, pauses: list[float]) -> None:
    elsewhere.always["/x"] = Reply(503)
    with pytest.raises(Unanswered, match=f"127.0.0.1:{elsewhere.port} answers 503"):
        transport.open(f"{elsewhere.url}/x")
    assert len(elsewhere.seen) == HURRIED.attempts == len(pauses) + 1


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 416, 500])
def test_any_other_answer_is_an_answer(elsewhere: Elsewhere, transport: Transport, status: int) -> None:
    elsewhere.always["/x"] = Reply(status, b"so")
    whole = transport.read(f"{elsewhere.url}/x", LIMIT)
    assert (whole.status, whole.body, len(elsewhere.seen)) == (status, b"so", 1)


def test_a_body_that_is_cut_is_asked_for_again(elsewhere: Elsewhere, transport: Transport) -> None:
    elsewhere.instead["/x"] = [Reply(200, b"half of it", sent=4), Reply(200, b"all of it")]
    assert transport.read(f"{elsewhere.url}/x", LIMIT).body == b"all of it"


def test_a_body_of_no_announced_length_is_bounded(elsewhere: Elsewhere, transport: Transport) -> None:
    chunks = b"".join(b"10000\r\n%b\r\n" % (b"x" * 65_536) for _ in range(20)) + b"0\r\n\r\n"
    elsewhere.always["/x"] = Reply(200, chunks, {"Transfer-Encoding": "chunked"})
    assert len(transport.read(f"{elsewhere.url}/x", 65_536 * 20).body) == 65_536 * 20
    with pytest.raises(Malformed, match="more than 1000000 bytes"):
        transport.read(f"{elsewhere.url}/x", 1_000_000)


def test_a_length_beyond_all_numbers_is_none(elsewhere: Elsewhere, transport: Transport) -> None:
    elsewhere.always["/x"] = Reply(200, b"here", {"Content-Length": "9" * 5_000, "Connection": "close"}, sent=4)
    with transport.open(f"{elsewhere.url}/x") as answer:
        assert answer.length is None
        assert answer.read(LIMIT) == b"here"


def test_nothing_is_unpacked_on_the_way(elsewhere: Elsewhere, transport: Transport) -> None:
    elsewhere.always["/x"] = Reply(200, b"bomb", {"Content-Encoding": "gzip"})
    with pytest.raises(Malformed, match="answers in gzip, which was not asked for"):
        transport.read(f"{elsewhere.url}/x", LIMIT)
    assert elsewhere.seen[0].headers["Accept-Encoding"] == "identity"


def test_a_redirect_to_another_host_does_not_take_the_password_along(
    elsewhere: Elsewhere, transport: Transport, hosts: Sequence[Elsewhere]
) -> None:
    """Field-notes, section 4: credentials are bound to host and realm (CVE-2026-33540, CVE-2026-2376)."""
    first, second = hosts
    elsewhere.always["/x"] = to(f"{first.url}/y?signed=1")
    first.always["/y"] = to(f"{second.url}/z")
    second.always["/z"] = to(f"{elsewhere.url}/back")
    elsewhere.always["/back"] = Reply(200, b"here")
    assert transport.read(f"{elsewhere.url}/x", LIMIT, authorization=PASS).body == b"here"
    # And is not taken up again on the way back.
    assert elsewhere.authorizations() == [PASS, None]
    assert first.authorizations() == second.authorizations() == [None]
    assert first.seen[0].target == "/y?signed=1"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_registry_keeps_it(elsewhere: Elsewhere, transport: Transport, status: int) -> None:
    elsewhere.always["/a/x"] = to("y?n=1", status)
    elsewhere.always["/a/y"] = Reply(200, b"here")
    assert transport.read(f"{elsewhere.url}/a/x", LIMIT, authorization=PASS).body == b"here"
    assert elsewhere.authorizations() == [PASS, PASS]


def test_redirects_come_to_an_end(elsewhere: Elsewhere, transport: Transport) -> None:
    elsewhere.always["/x"] = to("/x")
    with pytest.raises(Malformed, match="redirects more than 5 times"):
        transport.read(f"{elsewhere.url}/x", LIMIT)
    assert len(elsewhere.seen) == 6


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "https://", "http://[::1", "javascript:x", "https://127.0.0.1:0x1"]
)
def test_a_redirect_to_no_url_is_refused(elsewhere: Elsewhere, transport: Transport, url: str) -> None:
    elsewhere.always["/x"] = to(url)
    with pytest.raises(Malformed, match="is no URL"):
        transport.read(f"{elsewhere.url}/x", LIMIT)


def test_plain_http_goes_to_loopback_addresses_only_unless_it_is_asked_for(
    elsewhere: Elsewhere, transport: Transport
) -> None:
    elsewhere.always["/x"] = to("http://registry.test/x")
    with pytest.raises(Untrusted, match=r"plain http to registry\.test is not allowed"):
        transport.read(f"{elsewhere.url}/x", LIMIT)
    with pytest.raises(Untrusted, match=r"plain http to registry\.test is not allowed"):
        Transport(Origin.of("http://registry.test"))
    Transport(Origin.of("http://registry.test"), allow_http=True).close()


def test_tls_is_never_left_for_plain_http(tmp_path: Path, elsewhere: Elsewhere) -> None:
    certificate = Certificate.make(tmp_path / "tls")
    with Elsewhere(certificate) as secure:
        secure.always["/x"] = to(f"{elsewhere.url}/y")
        home = Origin.of(secure.url)
        made = Transport(home, allow_http=True, ca=certificate.authority, patience=HURRIED)
        with closing(made) as transport, pytest.raises(Untrusted, match="redirects from https to plain http"):
            transport.read(f"{secure.url}/x", LIMIT)
    assert not elsewhere.seen


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(tmp_path: Path, pauses: list[float]) -> None:
    with Elsewhere(Certificate.make(tmp_path / "tls")) as secure:
        home = Origin.of(secure.url)
        made = Transport(home, patience=HURRIED, sleep=pauses.append)
        with closing(made) as transport, pytest.raises(Untrusted, match=r"certificate of .*:\d+ is not trusted: "):
            transport.read(f"{secure.url}/x", LIMIT)
    assert not pauses


def test_an_authority_of_the_registrys_own_vouches_for_it_alone_and_for_others_beside_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many a registry of a company redirects its blobs to a bucket on the internet."""
    own, known = Certificate.make(tmp_path / "own"), Certificate.make(tmp_path / "known")
    monkeypatch.setenv("SSL_CERT_FILE", str(known.authority))
    with Elsewhere(own) as company, Elsewhere(known) as bucket:
        company.always["/x"] = to(f"https://localhost:{bucket.port}/y")
        company.always["/z"] = to(f"https://localhost:{company.port}/back")
        for place, path in ((bucket, "/y"), (company, "/back")):
            place.always[path] = Reply(200, b"here")
        with closing(Transport(Origin.of(company.url), ca=own.authority, patience=HURRIED)) as transport:
            assert transport.read(f"{company.url}/x", LIMIT).body == b"here"
            assert transport.read(f"{company.url}/z", LIMIT).body == b"here"
        made = Transport(Origin.of(bucket.url), ca=own.authority, patience=HURRIED)
        with closing(made) as transport, pytest.raises(Untrusted, match="is not trusted"):
            transport.read(f"{bucket.url}/y", LIMIT)


def test_nobody_leads_us_further_inside_than_it_is_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Field-notes, section 4: addresses are checked after every redirect (CVE-2026-33540, CVE-2026-2376).

    The addresses are stood in for: no test has a registry on the internet.
    """
    with several(2) as (public, inner):
        public.always["/x"] = to(f"http://localhost:{inner.port}/y")
        inner.always["/y"] = Reply(200, b"secret")
        lie: dict[str, str] = {"127.0.0.1": "8.8.8.8", "localhost": "10.0.0.1"}
        check: Callable[[Connections, Origin, str], None] = Connections._check
        monkeypatch.setattr(Connections, "_check", lambda self, origin, _: check(self, origin, lie[origin.host]))
        made = Transport(Origin.of(public.url), patience=HURRIED)
        with (
            closing(made) as transport,
            pytest.raises(Untrusted, match=r"which is 10\.0\.0\.1, further inside than itself"),
        ):
            transport.read(f"{public.url}/x", LIMIT)
        assert not inner.seen
        lie["127.0.0.1"] = "10.9.9.9"
        with closing(Transport(Origin.of(public.url), patience=HURRIED)) as transport:
            assert transport.read(f"{public.url}/x", LIMIT).body == b"secret"


def test_who_does_not_listen_is_said_not_to(pauses: list[float]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    made = Transport(Origin.of(url), patience=HURRIED, sleep=pauses.append)
    with closing(made) as transport, pytest.raises(Unanswered, match="does not answer: connection refused"):
        transport.read(f"{url}/v2/", LIMIT)
    assert len(pauses) == HURRIED.attempts - 1


def test_a_host_without_an_address_is_said_to_have_none(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    made = Transport(Origin.of("https://registry.test"), patience=HURRIED, sleep=pauses.append)
    with closing(made) as transport, pytest.raises(Unanswered, match="its name is not known"):
        transport.read("https://registry.test/v2/", LIMIT)


def test_who_does_not_speak_http_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = Thread(target=greet)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        made = Transport(Origin.of(url), patience=replace(HURRIED, attempts=1))
        with closing(made) as transport, pytest.raises(Unanswered, match="SSH-2"):
            transport.read(f"{url}/v2/", LIMIT)
        thread.join()


def test_a_connection_is_used_again_once_its_answer_was_read(elsewhere: Elsewhere, transport: Transport) -> None:
    for _ in range(3):
        transport.read(f"{elsewhere.url}/v2/", LIMIT)
    assert len({each.connection for each in elsewhere.seen}) == 1


def test_a_connection_is_used_again_after_it_redirected_us(
    elsewhere: Elsewhere, transport: Transport, hosts: Sequence[Elsewhere]
) -> None:
    elsewhere.always["/x"] = to(f"{hosts[0].url}/y")
    hosts[0].always["/y"] = Reply(200, b"here")
    for _ in range(3):
        assert transport.read(f"{elsewhere.url}/x", LIMIT).body == b"here"
    assert len({each.connection for each in elsewhere.seen}) == 1


def test_an_answer_that_was_not_read_gives_its_connection_up(elsewhere: Elsewhere) -> None:
    with closing(Transport(Origin.of(elsewhere.url), connections=1)) as transport:
        for _ in range(3):
            with transport.open(f"{elsewhere.url}/v2/") as answer:
                assert answer.status == 200
    assert len({each.connection for each in elsewhere.seen}) == 3


def test_a_form_is_posted_and_its_answer_is_read(elsewhere: Elsewhere, transport: Transport) -> None:
    elsewhere.always["/x"] = Reply(400, b"no")
    whole = transport.post(f"{elsewhere.url}/x?y", "a=1&b=%26", LIMIT, {"Accept": "application/json"}, PASS)
    assert (whole.status, whole.body) == (400, b"no")
    (seen,) = elsewhere.seen
    assert (seen.method, seen.target, seen.form) == ("POST", "/x?y", {"a": "1", "b": "&"})
    sent = ("Content-Type", "Authorization", "Accept")
    assert [seen.headers[name] for name in sent] == ["application/x-www-form-urlencoded", PASS, "application/json"]


@pytest.mark.parametrize("status", [302, 307, 308])
def test_what_is_in_a_form_is_told_to_nobody_else(
    elsewhere: Elsewhere, transport: Transport, hosts: Sequence[Elsewhere], status: int
) -> None:
    elsewhere.always["/x"] = to(f"{hosts[0].url}/y", status)
    assert transport.post(f"{elsewhere.url}/x", "secret=1", LIMIT).status == status
    assert not hosts[0].seen


@pytest.mark.parametrize("reply", [Reply(503), Reply(429), Reply(200, b"half", sent=2)])
def test_a_form_is_posted_once_whatever_comes_of_it(elsewhere: Elsewhere, transport: Transport, reply: Reply) -> None:
    elsewhere.always["/x"] = reply
    with pytest.raises(Unanswered):
        transport.post(f"{elsewhere.url}/x", "a=1", LIMIT)
    assert len(elsewhere.seen) == 1


def test_the_answer_to_a_form_is_bounded(elsewhere: Elsewhere, transport: Transport) -> None:
    elsewhere.always["/x"] = Reply(200, b"x" * 1001)
    with pytest.raises(Malformed, match="more than 1000 bytes"):
        transport.post(f"{elsewhere.url}/x", "a=1", 1000)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0), ("", 0), ("soon", 0), ("-5", 0), ("120", 120), (" 3 ", 3),
        ("Tue, 03 Mar 2026 10:01:00 GMT", 60), ("Tue, 03 Mar 2026 09:00:00 GMT", 0), ("Tue, 99 Mar 2026", 0),
        ("Tue, 03 Mar 20260303030 10:00:00 GMT", 0), ("Tue, 03 Mar 2026 10:00:00 +99999999999999999", 0),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float) -> None:
    assert retry_after(header, datetime(2026, 3, 3, 10, tzinfo=UTC)) == seconds
