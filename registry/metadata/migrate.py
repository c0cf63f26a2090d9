"""Bring a database to this program's schema, once, however many start at the same time."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

MIGRATIONS: Final = Path(__file__).parents[2] / "migrations"


class SchemaUnknown(Exception):
    """The database is at a schema that this program does not know: a newer program wrote it."""


def migrate(database: Path) -> str:
    """Run the migrations that are missing, each in a transaction of its own; the revision reached.

    Raises: SchemaUnknown.
    """
    config = _config(database)
    with _one_at_a_time(database):
        # Hashes of passwords are in there: for our eyes only, whatever the folder's mode.
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        present = revision(database)
        try:
            ScriptDirectory.from_config(config).get_revision(present or "base")
        except CommandError:
            raise SchemaUnknown(f"{database} has schema {present}, which this program does not know") from None
        command.upgrade(config, "head")
        # Kept in the file, and set here where we are alone: two connections that change it at once are both refused.
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        return revision(database) or ""


def revision(database: Path) -> str | None:
    """The schema that the database is at; None when it is empty or absent."""
    if not database.exists():
        return None
    engine = sa.create_engine(_url(database))
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def _config(database: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = _url(database)
    return config


def _url(database: Path) -> sa.URL:
    return sa.URL.create("sqlite", database=str(database))


@contextmanager
def _one_at_a_time(database: Path) -> Iterator[None]:
    descriptor = os.open(database.with_name(database.name + "-migration"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
