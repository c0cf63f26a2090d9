"""The facts of one instant as an SQLite file of their own, taken while others write.

SQLite       ──▶ VACUUM INTO, one read transaction ──▶ file, checked page by page
PostgreSQL   ──▶ one REPEATABLE READ transaction   ──▶ file, compared row by row
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from registry.metadata import copying, facts_file
from registry.metadata.migrate import MIGRATIONS, migrate, revision
from registry.oci.errors import Unavailable


class NoRegistry(Exception):
    """There is no registry in this database, or none of this program's schema."""


def check_current(database: Path | str) -> None:
    """Whether this program may read the facts as they are. Raises: NoRegistry, Unavailable."""
    present = revision(database)
    if present is None:
        raise NoRegistry("there is no registry: its database is absent or empty")
    if present != (head := ScriptDirectory(str(MIGRATIONS)).get_current_head()):
        raise NoRegistry(f"the database is at revision {present} and this program at {head}: migrate first")


def take(source: Path | str, target: Path) -> None:
    """Write the facts of one instant to `target`, which is new; what fails leaves nothing of it.

    A path is an SQLite file, a text the URL of a PostgreSQL. Nothing is flushed to the disk.
    Raises: FactsDamaged, StorageFull, Unavailable; SchemasDiffer, CopyDiffers from a PostgreSQL.
    """
    if isinstance(source, Path):
        facts_file.vacuum(source, target)
        return
    facts_file.remove(target)
    try:
        with facts_file.saying_what(target), _unwrapped():
            migrate(target)
            copying.copy(source, target, lambda *_: None)
            _fold(target)
        facts_file.check(target)
    except BaseException:
        facts_file.remove(target)
        raise


def _fold(target: Path) -> None:
    """One file, without a log beside it."""
    with closing(sqlite3.connect(target)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    target.with_name(target.name + "-migration").unlink(missing_ok=True)


@contextmanager
def _unwrapped() -> Iterator[None]:
    """What either driver said."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.OperationalError):
            raise Unavailable from error
        raise error.orig or error from error
