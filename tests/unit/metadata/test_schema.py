"""The schema and the migrations are one: what they make is the same, and can be unmade."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql

from registry.metadata import schema, schema_people
from registry.metadata.migrate import _config, migrate, revision

Shape = dict[str, object]
POSTGRESQL: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy has no types for it


@pytest.fixture
def database(tmp_path: Path) -> Path:
    migrate(tmp_path / "registry.db")
    return tmp_path / "registry.db"


@pytest.fixture
def connection(database: Path) -> Iterator[sa.Connection]:
    engine = sa.create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def shape(connection: sa.Connection) -> Shape:
    """Everything that SQLite knows of its tables, in an order of no one's choice."""
    ask = connection.exec_driver_sql
    tables = [row[0] for row in ask("SELECT name FROM sqlite_master WHERE type = 'table'")]
    checks = re.compile(r"CONSTRAINT (\w+) (?:CHECK|UNIQUE|PRIMARY KEY|FOREIGN KEY)|WITHOUT ROWID")
    known: Shape = {
        f"table {table}": (
            sorted(map(tuple, ask(f'PRAGMA table_xinfo("{table}")'))),
            sorted(row[2:] for row in ask(f'PRAGMA foreign_key_list("{table}")')),
            sorted(each[0] for each in checks.finditer(text)),
        )
        for table, text in ask("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        if table in tables and table != "alembic_version"
    }
    indexes = ask("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    return known | {f"index {name}": " ".join(text.split()) for name, text in indexes}


def test_alembic_finds_nothing_that_the_migrations_forgot(connection: sa.Connection) -> None:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    assert compare_metadata(context, schema.metadata) == []


def test_the_migrations_make_the_schema_to_the_last_constraint(connection: sa.Connection) -> None:
    # Partial indexes, checks, defaults and tables without row ids are more than alembic compares.
    engine = sa.create_engine("sqlite://")
    with engine.connect() as drawn:
        schema.metadata.create_all(drawn)
        assert shape(connection) == shape(drawn)
    engine.dispose()


def test_every_migration_can_be_undone_and_done_again(database: Path, connection: sa.Connection) -> None:
    config, before = _config(database), shape(connection)
    connection.rollback()
    for _ in ScriptDirectory.from_config(config).walk_revisions():
        command.downgrade(config, "-1")
    assert shape(connection) == {}
    connection.rollback()
    assert revision(database) is None
    assert migrate(database) == ScriptDirectory.from_config(config).get_current_head()
    assert shape(connection) == before


def test_migrations_follow_one_another_in_one_line(database: Path) -> None:
    script = ScriptDirectory.from_config(_config(database))
    revisions = [each.revision for each in script.walk_revisions()]
    assert script.get_heads() == [revisions[0]]
    assert sorted(revisions, reverse=True) == revisions


def test_every_foreign_key_has_an_index_on_its_side() -> None:
    # Without one, deleting a row reads the whole of every table that may point to it. Principals are never deleted.
    bare = [
        f"{table.name}.{column.name}"
        for table in schema.metadata.tables.values()
        for column in table.columns
        if column.foreign_keys and not any(key.column.table is schema_people.principal for key in column.foreign_keys)
        if column.name not in _leading(table)
    ]
    assert bare == []


def _leading(table: sa.Table) -> set[str]:
    keys = [list(table.primary_key), *(list(index.columns) for index in table.indexes)]
    uniques = [list(each.columns) for each in table.constraints if isinstance(each, sa.UniqueConstraint)]
    return {columns[0].name for columns in [*keys, *uniques] if columns}


def test_every_table_can_be_made_on_postgresql() -> None:
    for table in schema.metadata.sorted_tables:
        text = str(sa.schema.CreateTable(table).compile(dialect=POSTGRESQL))
        assert "ROWID" not in text
        # An id counts by itself there, and does not end at two thousand million.
        assert ("id" in table.c) == ("id BIGSERIAL" in text)


def test_names_that_are_listed_sort_by_their_bytes_on_postgresql() -> None:
    for column in (schema.repository.c.name, schema.tag.c.name, schema.project.c.name):
        assert 'COLLATE "C"' in str(column.type.compile(dialect=POSTGRESQL))


def test_a_key_of_sqlite_is_a_row_id_and_64_bits_wide_elsewhere() -> None:
    for table in schema.metadata.tables.values():
        if "id" in table.c:
            assert isinstance(table.c.id.type, sa.BigInteger)
            assert table.c.id.type.compile(dialect=sa.create_engine("sqlite://").dialect) == "INTEGER"
