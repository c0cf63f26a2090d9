"""The databases that keep a registry's facts; each is given empty and migrated, with a worker that reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from registry.core.facts import Caller
from registry.core.ports import Metadata, Transaction
from registry.metadata.postgres import PostgresMetadata
from registry.metadata.postgres_reader import PostgresReader
from registry.metadata.reader import Lookups, SqliteReader
from registry.metadata.sqlite import SqliteMetadata
from tests.contracts.people import People
from tests.support.postgres import postgres_server
from tests.unit.metadata.databases import new_database, opened, quick_folder

T = TypeVar("T")


@dataclass(frozen=True)
class Worker:
    """What reads on an event loop, as each worker does: the lookups of the pull path, and those of callers."""

    reader: Any
    runner: asyncio.Runner

    def ask(self, question: Callable[[Any], Awaitable[T]]) -> T:
        async def asked() -> T:
            return await question(self.reader)

        return self.runner.run(asked())


@dataclass(frozen=True)
class Database:
    """One that several workers read and write."""

    metadata: Metadata
    reader: Callable[[], Lookups]

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        reader = self.reader()
        with asyncio.Runner() as runner:
            yield Worker(reader, runner)
            if isinstance(reader, PostgresReader):
                runner.run(reader.close())


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    if request.param == "sqlite":
        with quick_folder() as folder, opened(new_database(folder)) as metadata:
            yield Database(metadata, lambda: _on_sqlite(metadata))
    else:
        with (
            postgres_server().database() as url,
            closing(PostgresMetadata(url, pool_size=4)) as on_postgresql,
        ):
            yield Database(on_postgresql, lambda: PostgresReader(url))


@pytest.fixture
def metadata(database: Database) -> Metadata:
    return database.metadata


@pytest.fixture
def people(metadata: Metadata) -> People:
    """With one administrator who can sign in, and everybody."""

    def settle(tx: Transaction) -> Caller:
        admin = tx.accounts.add("admin", "user", is_admin=True)
        tx.accounts.add_password(admin, "hash of a password")
        tx.accounts.add("(anonymous)", "anonymous")
        tx.accounts.add("(open)", "open", is_admin=True)
        return admin

    return People(metadata, metadata.transact(settle))


@pytest.fixture
def worker(database: Database) -> Iterator[Worker]:
    with database.worker() as worker:
        yield worker


def _on_sqlite(metadata: SqliteMetadata) -> SqliteReader:
    connection = metadata.reader()
    return SqliteReader(connection.run, connection.version)
