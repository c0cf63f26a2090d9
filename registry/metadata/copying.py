"""Every fact from one database into another, and proof that they are the same: SQLite and PostgreSQL, either way.

    source, one snapshot ──▶ table by table, parents first ──▶ target, empty and migrated, one transaction
                                                                 └─▶ both read again, side by side ──▶ commit

What is written to the source meanwhile is not in the snapshot: to change over, stop the servers first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from registry.metadata.migrate import engine_for
from registry.metadata.schema import metadata

_BATCH: Final = 1000

Tell = Callable[[str, int], None]
"""Told of each table's name, and how many rows it had."""


class NotEmpty(Exception):
    """The target holds facts already: nothing is mixed."""


class SchemasDiffer(Exception):
    """The two are not at the same revision."""


class CopyDiffers(Exception):
    """What arrived is not what was sent; nothing was kept of it."""


def copy(source: Path | str, target: Path | str, tell: Tell) -> int:
    """Copy and compare; the number of rows. A path is an SQLite file, a text the URL of a PostgreSQL.

    What is raised leaves the target as it was. Raises: NotEmpty, SchemasDiffer, CopyDiffers.
    """
    with _engine(source).connect() as reading, _engine(target).connect() as writing:
        _begin_snapshot(reading)
        with writing.begin():
            _check_fit(reading, writing)
            total = 0
            for table in metadata.sorted_tables:
                count = _copy_table(reading, writing, table)
                _compare(reading, writing, table)
                tell(table.name, count)
                total += count
            _go_on_counting(writing)
        reading.rollback()
        return total


def _engine(database: Path | str) -> sa.Engine:
    engine = engine_for(database)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _leave_transactions_to_us)
        sa.event.listen(engine, "begin", _begin)
    return engine


def _leave_transactions_to_us(driver: Any, _record: object) -> None:  # noqa: ANN401 - either driver's connection
    # Python's own would begin one only before it writes, and a snapshot has to begin before the first read.
    driver.isolation_level = None


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_snapshot(reading: sa.Connection) -> None:
    if reading.dialect.name == "postgresql":
        reading.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    # The snapshot is the first read's.
    _revision(reading)


def _revision(connection: sa.Connection) -> str:
    return str(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one())


def _check_fit(reading: sa.Connection, writing: sa.Connection) -> None:
    ours, theirs = _revision(reading), _revision(writing)
    if ours != theirs:
        raise SchemasDiffer(f"the source is at revision {ours}, the target at {theirs}: migrate both first")
    for table in metadata.sorted_tables:
        if writing.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
            raise NotEmpty(f"the target is not empty: there are rows in {table.name}")


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[sa.Row[Any]]:
    key = list(table.primary_key.columns)
    # The order of bytes on both: PostgreSQL would sort text by its locale.
    order = [column.collate("C") if _is_sorted_by_locale(connection, column) else column for column in key]
    result = connection.execute(sa.select(table).order_by(*order).execution_options(stream_results=True))
    for batch in result.partitions(_BATCH):
        yield from batch


def _is_sorted_by_locale(connection: sa.Connection, column: sa.Column[Any]) -> bool:
    return connection.dialect.name == "postgresql" and isinstance(column.type, sa.Text)


def _copy_table(reading: sa.Connection, writing: sa.Connection, table: sa.Table) -> int:
    names, count = list(table.columns.keys()), 0
    rows = _rows(reading, table)
    while batch := [dict(zip(names, row, strict=True)) for row in islice(rows, _BATCH)]:
        writing.execute(sa.insert(table), batch)
        count += len(batch)
    return count


def _compare(reading: sa.Connection, writing: sa.Connection, table: sa.Table) -> None:
    for sent, arrived in zip_longest(_rows(reading, table), _rows(writing, table)):
        if sent is None or arrived is None or tuple(sent) != tuple(arrived):
            raise CopyDiffers(f"a row of {table.name} arrived otherwise than it was sent")


def _go_on_counting(writing: sa.Connection) -> None:
    """Rows came with their ids; a sequence of PostgreSQL's has to be told of them."""
    if writing.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        if "id" in table.columns:
            quoted = writing.dialect.identifier_preparer.quote(table.name)
            writing.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{quoted}', 'id'), coalesce(max(id), 0) + 1, false) "  # noqa: S608 - our own names
                f"FROM {quoted}"
            )
