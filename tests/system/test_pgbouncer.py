"""Behind a pgbouncer that pools transactions: no connection is ours for longer than one, and nothing notices."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.support.client import RegistryClient
from tests.support.images import tiny_image
from tests.support.postgres import ask, postgres_server
from tests.support.server import HOST, RunningServer, Setting, free_port
from tests.system.objects import objects_of
from tests.system.require import require
from tests.system.waiting import eventually

# Fewer connections than our processes have, so that each is handed from one to another all the time.
CONFIGURATION = """
[databases]
{database} = host={backend} user=postgres
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
server_reset_query = DISCARD ALL
server_reset_query_always = 1
logfile = {folder}/log
pidfile = {folder}/pid
"""


@contextmanager
def pooled(url: str) -> Iterator[str]:
    """The URL of the same database, through a pool."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/sbin:/bin")
    require(program, "the program pgbouncer is not installed")
    parts, port = urlsplit(url), free_port()
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    database, backend = parts.path.strip("/"), parse_qs(parts.query)["host"][0]
    settings = folder / "pgbouncer.ini"
    settings.write_text(CONFIGURATION.format(database=database, backend=backend, host=HOST, port=port, folder=folder))
    user = None
    if os.geteuid() == 0:
        # It refuses to be root, and only the server's own user is let into the folder of the server's socket.
        user = Path(backend).owner()
        shutil.chown(folder, user)
    try:
        with subprocess.Popen([str(program), "-q", str(settings)], user=user) as process:
            pooled_url = f"postgresql://postgres@{HOST}:{port}/{database}"
            try:
                eventually("pgbouncer answers", lambda: _answers(process, pooled_url))
                yield pooled_url
            finally:
                process.send_signal(signal.SIGINT)
    finally:
        shutil.rmtree(folder)


def _answers(process: subprocess.Popen[bytes], url: str) -> bool:
    assert process.poll() is None
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with postgres_server().database("template0") as direct, pooled(direct) as url:
        settings: dict[str, Setting] = {
            "database": url,
            "prepared_statements": False,
            "anonymous_pull": True,
            "upload_expiry": "1s",
            "delete_delay": "0s",
            "sweep_interval": "200ms",
        }
        with RunningServer(tmp_path / "data", settings, workers=2) as server:
            yield server
            server.stop()
            # Nobody leaves a lock of a session behind on a connection that is somebody else's by now.
            assert ask(direct, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_everything_works_through_a_pool_of_transactions(server: RunningServer, repository: str) -> None:
    image = tiny_image(repository, layers=3)
    with server.http(auth=server.admin) as http, server.http() as anonymous:
        client, stranger = RegistryClient(http), RegistryClient(anonymous)
        for number in range(20):
            client.push_image(repository, image, f"v{number}")
        assert client.tags(repository, n=5).json()["tags"] == ["v0", "v1", "v10", "v11", "v12"]
        assert client.catalog().json()["repositories"] == [repository]
        assert client.delete_manifest(repository, "v7").status_code == 202
        scope = {"scope": f"repository:{repository}:pull", "service": "entrepot"}
        token = http.get("/token", params=scope).json()["token"]
        for headers in ({"Authorization": f"Bearer {token}"},) * 20:
            assert stranger.manifest(repository, "v3", headers=headers).content == image.manifest
            assert stranger.manifest(repository, "v7", headers=headers).status_code == 404
        for blob in image.blobs:
            assert stranger.blob(repository, blob.digest, headers=headers).content == blob.data
        assert http.get("/healthz").status_code == 200


def test_background_work_holds_its_lease_through_a_pool_of_transactions(server: RunningServer, repository: str) -> None:
    with server.http(auth=server.admin) as http:
        client = RegistryClient(http)
        location = client.start_upload(repository).headers["location"]
        client.patch(location, bytes(10_000)).raise_for_status()
        assert objects_of(server)
        eventually("what was idle is gone", lambda: not objects_of(server))
        assert client.upload_status(location).status_code == 404
