"""How alembic reaches the database: on the connection it was called with, else at the place it was called with.

By hand, that is `alembic -x url=…`: the URL of a PostgreSQL, or the path of an SQLite database.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import context

from registry.metadata.migrate import engine_for
from registry.metadata.schema import metadata


def run() -> None:
    """Run the migrations online; each in a transaction of its own, the version row included."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        # Its transaction is the caller's, who runs one migration in it.
        _run_on(connection)
        return
    engine = engine_for(context.config.attributes.get("database") or _named())
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _leave_transactions_to_us)
        sa.event.listen(engine, "begin", _begin)
    with engine.connect() as connection:
        _run_on(connection)


def _run_on(connection: sa.Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def _named() -> Path | str:
    url = context.get_x_argument(as_dictionary=True)["url"]
    return url if url.startswith(("postgresql://", "postgres://")) else Path(url.removeprefix("sqlite:///"))


def _leave_transactions_to_us(driver: object, _record: object) -> None:
    # The driver would commit before every CREATE TABLE; SQLite itself has no trouble with DDL in a transaction.
    driver.isolation_level = None  # type: ignore[attr-defined] # sqlite3.Connection, behind the driver's protocol


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


run()
