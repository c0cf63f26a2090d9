"""Replicas as an organisation runs them: servers that share a PostgreSQL and an S3 bucket, and nothing else.

with replicas(tmp_path, count=3) as (one, two, three):
    ...                      # each has a data folder of its own, in which only the copied key file lies
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.support.postgres import postgres_server
from tests.support.s3 import S3Server
from tests.support.server import RunningServer, Setting


def shared_settings(s3: S3Server, database: str, key_file: Path) -> dict[str, Setting]:
    """What every replica is told alike; the prefix is a new one."""
    key_file.write_bytes(secrets.token_bytes(32))
    key_file.chmod(0o600)
    return {"database": database, "key_file": key_file, **store_settings(s3)}


def store_settings(s3: S3Server) -> dict[str, Setting]:
    """A place of its own in the bucket."""
    store = s3.new_place()
    assert store.endpoint is not None
    assert store.access_key is not None
    assert store.secret_key is not None
    return {
        "store": "s3",
        "s3_bucket": store.bucket,
        "s3_prefix": store.prefix,
        "s3_endpoint": store.endpoint,
        "s3_access_key": store.access_key,
        "s3_secret_key": store.secret_key,
        "s3_region": store.region or "us-east-1",
        "s3_path_style": store.path_style,
    }


@contextmanager
def replicas(
    folder: Path, s3: S3Server, settings: Mapping[str, Setting], count: int = 2, workers: int = 1
) -> Iterator[Sequence[RunningServer]]:
    """So many of them, running; `settings` are for all."""
    with ExitStack() as stack:
        database = stack.enter_context(postgres_server().database())
        told = {**shared_settings(s3, database, folder / "key"), **settings}
        servers = [RunningServer(folder / f"replica-{number}", told, workers=workers) for number in range(count)]
        for server in servers:
            stack.enter_context(server)
        yield servers
        for server in servers:
            if server.alive:
                server.stop()


class RoundRobin(httpx.BaseTransport):
    """Each request goes to another replica, as by a load balancer that knows nothing of sessions."""

    def __init__(self, servers: Sequence[RunningServer]) -> None:
        self._ways = [(httpx.URL(server.url), httpx.HTTPTransport()) for server in servers]
        self._turns = itertools.cycle(self._ways)
        self._elsewhere = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The request as it is, but for where it goes; one that was redirected elsewhere goes there."""
        if request.url.netloc not in {url.netloc for url, _ in self._ways}:
            return self._elsewhere.handle_request(request)
        url, transport = next(self._turns)
        request.url = request.url.copy_with(host=url.host, port=url.port)
        return transport.handle_request(request)

    def close(self) -> None:
        """As a client closes it."""
        for transport in (self._elsewhere, *(transport for _, transport in self._ways)):
            transport.close()
