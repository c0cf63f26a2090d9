"""Bringing a database to this program's schema: once, and never a schema that it does not know."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from registry.metadata.migrate import SchemaUnknown, migrate, revision
from tests.unit.metadata.databases import at_once, rows


def test_an_absent_database_is_made(tmp_path: Path) -> None:
    database = tmp_path / "registry.db"
    assert revision(database) is None
    assert not database.exists()
    assert migrate(database) == revision(database)
    assert rows(database, "SELECT count(*) FROM project") == [(0,)]


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    database = tmp_path / "registry.db"
    migrate(database)
    before = database.read_bytes()
    migrate(database)
    assert database.read_bytes() == before


def test_a_path_may_hold_what_configuration_files_and_urls_take_for_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "50% [of] a ? #"
    folder.mkdir()
    assert migrate(folder / "registry.db") == revision(folder / "registry.db")
    assert (folder / "registry.db").exists()


@pytest.mark.parametrize("schema", ["9999", "0001-later", "x"])
def test_a_schema_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path, schema: str) -> None:
    database = tmp_path / "registry.db"
    migrate(database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (schema,))
    before = database.read_bytes()
    with pytest.raises(SchemaUnknown, match=schema):
        migrate(database)
    assert database.read_bytes() == before


def test_several_processes_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    database = tmp_path / "registry.db"
    answers = at_once(lambda _: migrate(database), processes=3)
    assert answers == [revision(database)] * 3
