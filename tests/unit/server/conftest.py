"""Servers to talk to, one per event loop and transport, shared by the tests of a module."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from registry.server.limits import Limits
from tests.unit.server.site import Loop, Server, Site, eventually

Begin = Callable[..., Server]

BRISK = Limits(linger=timedelta(seconds=1), tick=timedelta(seconds=0.02))


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    issued = authority.issue_cert("registry.test")
    cert, key = folder / "cert.pem", folder / "key.pem"
    issued.private_key_pem.write_to_path(key)
    for part in issued.cert_chain_pems:
        part.write_to_path(cert, append=True)
    return cert, key


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def loop(request: pytest.FixtureRequest) -> Loop:
    loop: Loop = request.param
    return loop


@pytest.fixture(scope="module")
def shared_site() -> Site:
    return Site()


@pytest.fixture
def site(shared_site: Site) -> Site:
    """What the servers answer, empty at first."""
    shared_site.clear()
    return shared_site


@pytest.fixture(scope="module")
def plain(shared_site: Site, loop: Loop) -> Iterator[Server]:
    server = Server(shared_site, loop, limits=BRISK)
    server.begin()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def secure(shared_site: Site, loop: Loop, authority: trustme.CA, certificate: tuple[Path, Path]) -> Iterator[Server]:
    server = Server(shared_site, loop, limits=BRISK, tls=certificate)
    server.tls = ssl.create_default_context()
    authority.configure_trust(server.tls)
    server.begin()
    yield server
    server.stop()


def _at_rest(server: Server) -> Iterator[Server]:
    yield server
    assert eventually(server.is_at_rest), "a connection or a task is left"


@pytest.fixture
def server(site: Site, plain: Server) -> Iterator[Server]:
    """A server on a plain socket; the test leaves neither a connection nor a task."""
    yield from _at_rest(plain)


@pytest.fixture
def secure_server(site: Site, secure: Server) -> Iterator[Server]:
    """A server on a TLS socket, whose connections check its certificate."""
    yield from _at_rest(secure)


@pytest.fixture(params=["plain", "tls"])
def any_server(request: pytest.FixtureRequest, site: Site, plain: Server, secure: Server) -> Iterator[Server]:
    """The one and the other."""
    yield from _at_rest(plain if request.param == "plain" else secure)


@pytest.fixture
def begin(site: Site, loop: Loop) -> Iterator[Begin]:
    """Start a server for `site` that differs from the usual."""
    servers: list[Server] = []

    def started(**options: object) -> Server:
        server = Server(site, loop, **{"limits": BRISK, **options})  # type: ignore[arg-type]  # passed on
        server.begin()
        servers.append(server)
        return server

    yield started
    for server in servers:
        assert eventually(server.is_at_rest), "a connection or a task is left"
        server.stop()
