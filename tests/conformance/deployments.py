"""Where the tests run: each transport, any settings, each pair started once, when a test first asks for it.

in process, over a socket                 SQLite and a folder
in process, with another database         PostgreSQL and a folder
in process, with another store            SQLite and S3
over replicas                             PostgreSQL and S3, two servers in turns

With `CONFORMANCE_URL` the socket is another registry's (`CONFORMANCE_USER` and `CONFORMANCE_PASSWORD` when it wants a
login); whatever needs another transport, mode or setting than it has is then skipped.
"""

import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conformance.claims import keeps_every_promise
from tests.support.client import RegistryClient
from tests.support.images import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, TinyImage
from tests.support.inprocess import URL, in_process
from tests.support.login import BearerLogin
from tests.support.postgres import postgres_server
from tests.support.replicas import RoundRobin, replicas, store_settings
from tests.support.s3 import S3Server
from tests.support.server import RunningServer, Setting, settings_as_environment

SOCKET, IN_PROCESS, REPLICAS = "socket", "in process", "replicas"
POSTGRESQL, S3 = "in process with PostgreSQL", "in process with S3"
TRANSPORTS = (IN_PROCESS, POSTGRESQL, S3, SOCKET, REPLICAS)
PEER = os.environ.get("CONFORMANCE_URL", "").rstrip("/")
PASSWORD = "correct horse battery"
ADMIN = ("admin", PASSWORD)
ACCEPT = f"{OCI_MANIFEST}, {OCI_INDEX}, {DOCKER_MANIFEST}, {DOCKER_INDEX}, */*"

Settings = Mapping[str, Setting]
Reached = tuple[str, Callable[[httpx.Auth | None], httpx.Client]]
"""Its URL, and what makes a client of it."""


@dataclass(frozen=True)
class Deployment:
    """A registry that answers, and how to become a client of it."""

    transport: str
    url: str
    connect: Callable[[httpx.Auth | None], httpx.Client]
    login: tuple[str, str] | None

    @property
    def address(self) -> tuple[str, int]:
        """Where its socket listens; skips the test where there is none."""
        if self.transport != SOCKET:
            pytest.skip("the test is about bytes on a socket")
        url = httpx.URL(self.url)
        return url.host, url.port or 80

    def client(self) -> RegistryClient:
        """As the administrator, by bearer tokens; as anybody, when the registry is open."""
        return RegistryClient(self.connect(BearerLogin(*self.login) if self.login else None))

    def anonymous(self) -> RegistryClient:
        """As somebody without a name."""
        return RegistryClient(self.connect(None))


@dataclass(frozen=True, slots=True)
class Standing:
    """An image that tests only read, and the repository where it is `v1`."""

    repository: str
    image: TinyImage


class Deployments:
    """Starts a deployment when it is first asked for, and ends all of them with `stack`."""

    def __init__(self, folder: Path, stack: ExitStack, s3: Callable[[], S3Server]) -> None:
        """`s3` is asked for when the first replicas are."""
        self._folder = folder
        self._stack = stack
        self._s3 = s3
        self._known: dict[tuple[str, frozenset[tuple[str, Setting]]], Deployment] = {}

    def get(self, transport: str, **settings: Setting) -> Deployment:
        """One with these settings; skips the test where there can be none."""
        if PEER:
            return self._peer(transport, settings)
        key = transport, frozenset(settings.items())
        if key not in self._known:
            self._known[key] = self._start(transport, self._folder / f"{len(self._known)}", settings)
        return self._known[key]

    def _start(self, transport: str, data: Path, settings: Settings) -> Deployment:
        wanted = {"admin_password": PASSWORD, "log_level": "warning", "access_log": False, **settings}
        login = None if settings.get("open") else ADMIN
        starting = {
            SOCKET: _over_a_socket,
            IN_PROCESS: _in_process,
            POSTGRESQL: _with_postgresql,
            S3: self._with_s3,
            REPLICAS: self._over_replicas,
        }[transport]
        url, connect = self._stack.enter_context(starting(data, wanted))
        return Deployment(transport, url, self._kept(connect), login)

    def _with_s3(self, data: Path, settings: Settings) -> AbstractContextManager[Reached]:
        return _in_process(data, {**settings, **store_settings(self._s3()), "s3_redirect": False})

    @contextmanager
    def _over_replicas(self, data: Path, settings: Settings) -> Iterator[Reached]:
        """Two servers with PostgreSQL and S3 behind them; every request lands on the other one."""
        data.mkdir()
        # Through the replicas: what the store itself answers is not ours to promise.
        with replicas(data, self._s3(), {**settings, "s3_redirect": False}) as servers:
            yield servers[0].url, lambda auth: _client(servers[0].url, auth, RoundRobin(servers))

    def _peer(self, transport: str, settings: Settings) -> Deployment:
        login = (os.environ["CONFORMANCE_USER"], os.environ["CONFORMANCE_PASSWORD"]) if _peer_wants_login() else None
        expected = {"open": True} if login is None else {}
        if transport != SOCKET or settings != expected:
            pytest.skip(f"the registry at {PEER} is not {transport} with {dict(settings)}")
        return Deployment(SOCKET, PEER, self._kept(lambda auth: _client(PEER, auth)), login)

    def _kept(
        self, connect: Callable[[httpx.Auth | None], httpx.Client]
    ) -> Callable[[httpx.Auth | None], httpx.Client]:
        return lambda auth: self._stack.enter_context(connect(auth))


def _peer_wants_login() -> bool:
    return "CONFORMANCE_USER" in os.environ


def _client(url: str, auth: httpx.Auth | None, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """Follows redirects, as the specification means its statuses, and holds each answer to its promises."""
    return httpx.Client(
        base_url=url,
        auth=auth,
        headers={"Accept": ACCEPT},
        transport=transport or httpx.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)),
        event_hooks={"response": [keeps_every_promise]},
        follow_redirects=True,
        timeout=30,
    )


@contextmanager
def _over_a_socket(data: Path, settings: Settings) -> Iterator[Reached]:
    others = {name: value for name, value in settings.items() if name != "workers"}
    with RunningServer(data, others, workers=int(str(settings.get("workers", 1)))) as server:
        yield server.url, lambda auth: _client(server.url, auth)
        server.stop()


@contextmanager
def _in_process(data: Path, settings: Settings) -> Iterator[Reached]:
    # Late, so that a peer can be tested on a machine, or on a day, without our server.
    from registry.app import create_app
    from registry.config import Settings as Configuration

    configuration = Configuration.load(environ=settings_as_environment({"data": data, **settings}))
    with in_process(create_app(configuration)) as transport:
        yield URL, lambda auth: _client(URL, auth, transport)


@contextmanager
def _with_postgresql(data: Path, settings: Settings) -> Iterator[Reached]:
    with postgres_server().database() as url, _in_process(data, {**settings, "database": url}) as reached:
        yield reached
