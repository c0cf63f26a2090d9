"""Bring a database to this program's schema, once, however many start at the same time.

SQLite is locked by a file beside it for as long as there is something to do. PostgreSQL is locked by a number, in each
transaction anew, which then does the one migration that is missing by then: so nothing outlives the connection of who
is killed, nothing depends on what a pooler does between transactions, and whoever comes next goes on from there.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from registry.oci.errors import Unavailable

MIGRATIONS: Final = Path(__file__).parents[2] / "migrations"
# Of our choice; PostgreSQL keeps such numbers apart by database.
_LOCK: Final = 0x656E7472


class SchemaUnknown(Exception):
    """The database is at a schema that this program does not know: a newer program wrote it."""


def migrate(database: Path | str) -> str:
    """Run the migrations that are missing, each in a transaction of its own; the revision reached.

    A path is an SQLite database, a text the URL of a PostgreSQL. Raises: SchemaUnknown, Unavailable.
    """
    return _migrate_sqlite(database) if isinstance(database, Path) else _migrate_postgresql(database)


def revision(database: Path | str) -> str | None:
    """The schema that the database is at; None when it is empty or absent. Raises: Unavailable."""
    if isinstance(database, Path) and not database.exists():
        return None
    with _answering(), engine_for(database).connect() as connection:
        return _revision(connection)


def _migrate_sqlite(database: Path) -> str:
    config = _config(database)
    with _one_at_a_time(database):
        # Hashes of passwords are in there: for our eyes only, whatever the folder's mode.
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        _check_known(config, revision(database), str(database))
        command.upgrade(config, "head")
        # Kept in the file, and set here where we are alone: two connections that change it at once are both refused.
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        return revision(database) or ""


def _migrate_postgresql(url: str) -> str:
    config = _config(url)
    head = ScriptDirectory.from_config(config).get_current_head()
    engine = engine_for(url)
    while True:
        with _answering(), engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            # Read with the lock ours: whoever had it before may have done this very migration.
            present = _revision(connection)
            _check_known(config, present, "the database")
            if present == head:
                return head or ""
            config.attributes["connection"] = connection
            command.upgrade(config, "+1")


def _check_known(config: Config, present: str | None, database: str) -> None:
    try:
        ScriptDirectory.from_config(config).get_revision(present or "base")
    except CommandError:
        raise SchemaUnknown(f"{database} has schema {present}, which this program does not know") from None


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def engine_for(database: Path | str) -> sa.Engine:
    """One connection at a time to it, and none kept."""
    if isinstance(database, Path):
        return sa.create_engine(sa.URL.create("sqlite", database=str(database)), poolclass=sa.NullPool)
    # The driver reads the URL itself: what an operator may write there is more than SQLAlchemy understands.
    return sa.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(database, prepare_threshold=None),
        poolclass=sa.NullPool,
    )


def _config(database: Path | str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["database"] = database
    return config


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        if isinstance(error.orig, psycopg.OperationalError):
            raise Unavailable from error
        raise


@contextmanager
def _one_at_a_time(database: Path) -> Iterator[None]:
    descriptor = os.open(database.with_name(database.name + "-migration"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
