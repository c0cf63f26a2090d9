"""PostgreSQL brought to this program's schema: by several at once, and by whoever comes after one who was killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from registry.metadata import schema
from registry.metadata.manifests import _HAS_BLOBS, _HAS_CHILDREN
from registry.metadata.migrate import SchemaUnknown, _config, engine_for, migrate, revision
from registry.metadata.statements import prepare_for_observing, prepare_for_postgresql
from registry.oci.errors import Unavailable
from tests.support.postgres import ask, postgres_server
from tests.unit.metadata.databases import at_once
from tests.unit.metadata.test_statements import STATEMENTS


@pytest.fixture
def url() -> Iterator[str]:
    """An empty database."""
    with postgres_server().database(template="template0") as url:
        yield url


@contextmanager
def before_each_statement(act: Callable[[int, sa.Connection], None]) -> Iterator[None]:
    """`act` is told its number, and the connection that it is about to be executed on."""
    numbers = iter(range(1_000_000))

    def listen(connection: sa.Connection, *_: Any) -> None:
        act(next(numbers), connection)

    sa.event.listen(sa.Engine, "before_cursor_execute", listen)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", listen)


def shape(url: str) -> list[tuple[Any, ...]]:
    """Everything that PostgreSQL knows of its tables, by their names."""
    columns = """
        SELECT 'column', table_name, column_name, data_type, is_nullable, column_default, collation_name
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
        """
    constraints = """
        SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'alembic%'
        """
    indexes = "SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE 'alembic%'"
    return sorted((row for each in (columns, constraints, indexes) for row in ask(url, each)), key=repr)


def test_an_empty_database_is_brought_up_to_date_and_again_changes_nothing(url: str) -> None:
    assert revision(url) is None
    assert migrate(url) == revision(url)
    before = shape(url)
    assert migrate(url) == revision(url)
    assert shape(url) == before
    assert ask(url, "SELECT count(*) FROM project") == [(0,)]


def test_the_migrations_make_the_schema_to_the_last_constraint(url: str) -> None:
    with postgres_server().database(template="template0") as drawn:
        engine = engine_for(drawn)
        schema.metadata.create_all(engine)
        migrate(url)
        assert shape(url) == shape(drawn)


def test_alembic_finds_nothing_that_the_migrations_forgot(url: str) -> None:
    migrate(url)
    with engine_for(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_every_migration_can_be_undone_and_done_again(url: str) -> None:
    migrate(url)
    before = shape(url)
    for _ in ScriptDirectory.from_config(_config(url)).walk_revisions():
        command.downgrade(_config(url), "-1")
    assert (shape(url), revision(url)) == ([], None)
    migrate(url)
    assert shape(url) == before


@pytest.mark.parametrize("newer", ["9999", "x"])
def test_a_schema_of_a_newer_program_is_refused_and_left_alone(url: str, newer: str) -> None:
    migrate(url)
    ask(url, "UPDATE alembic_version SET version_num = %s", newer)
    before = shape(url)
    with pytest.raises(SchemaUnknown, match=newer):
        migrate(url)
    assert (shape(url), revision(url)) == (before, newer)


def test_replicas_that_start_at_once_migrate_once(url: str) -> None:
    assert at_once(lambda _: migrate(url), processes=4) == [revision(url)] * 4


def test_a_connection_that_is_cut_before_any_statement_leaves_whole_migrations(url: str) -> None:
    with postgres_server().database(template="template0") as other:
        migrate(other)
        whole = shape(other)
    known = {None, *(each.revision for each in ScriptDirectory.from_config(_config(url)).walk_revisions())}
    statement = 0
    while not _finishes(url, statement):
        # What was half done is undone, its version row included: the next one begins where a migration ends.
        assert revision(url) in known
        statement += 1
    assert statement > 40
    assert shape(url) == whole


def _finishes(url: str, cut_before: int) -> bool:
    def cut(number: int, connection: sa.Connection) -> None:
        if number == cut_before:
            backend = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr] # psycopg's
            ask(url, "SELECT pg_terminate_backend(%s)", backend)

    with before_each_statement(cut):
        try:
            migrate(url)
        except Unavailable:
            return False
    return True


def test_a_process_that_is_killed_in_a_migration_holds_nobody_up(url: str) -> None:
    def die(number: int, _: sa.Connection) -> None:
        if number == 30:
            os.kill(os.getpid(), signal.SIGKILL)

    def migrate_and_die() -> None:
        with before_each_statement(die):
            migrate(url)

    child = multiprocessing.get_context("fork").Process(target=migrate_and_die)
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert revision(url) is None
    assert migrate(url) == revision(url)


def test_a_database_that_is_not_there_is_told_as_unavailable(url: str) -> None:
    absent = url.replace("/test", "/absent")
    for verb in (migrate, revision):
        with pytest.raises(Unavailable):
            verb(absent)


def test_postgresql_knows_every_name_and_type_in_every_statement(url: str) -> None:
    migrate(url)
    lots = [each for lot in (_HAS_BLOBS, _HAS_CHILDREN) for each in lot.values()]
    with psycopg.connect(url) as connection:
        for number, statement in enumerate([*STATEMENTS.values(), *lots]):
            # Planned, not run; what it cannot give a type to, it refuses.
            connection.execute(f"PREPARE w{number} AS {prepare_for_postgresql(statement).text}".encode())
            connection.execute(f"PREPARE o{number} AS {prepare_for_observing(statement).text}".encode())


def test_only_who_writes_takes_locks() -> None:
    locking = [each for each in STATEMENTS.values() if " FOR " in prepare_for_postgresql(each).text]
    assert len(locking) >= 10
    assert not any(" FOR " in prepare_for_observing(each).text for each in STATEMENTS.values())
