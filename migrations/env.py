"""How alembic reaches the database: by the URL it was called with, else the one of `alembic -x url=…`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from registry.metadata.schema import metadata


def run() -> None:
    """Run the migrations online; each in a transaction of its own, the version row included."""
    url = context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True)["url"]
    engine = sa.create_engine(url)
    sa.event.listen(engine, "connect", _leave_transactions_to_us)
    sa.event.listen(engine, "begin", _begin)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


def _leave_transactions_to_us(driver: object, _record: object) -> None:
    # The driver would commit before every CREATE TABLE; SQLite itself has no trouble with DDL in a transaction.
    driver.isolation_level = None  # type: ignore[attr-defined] # sqlite3.Connection, behind the driver's protocol


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


run()
