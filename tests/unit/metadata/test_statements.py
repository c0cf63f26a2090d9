"""Every statement of the room, found by walking it: one text for each database, with the same constants in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler

from registry.metadata.schema import project
from registry.metadata.statements import Book, Prepared, Statement, prepare_for_sqlite
from tests.support.statements import statements
from tests.unit.metadata.databases import rows

STATEMENTS = statements()
# An inlined number or text; names and the placeholders of parameters hold no quotes.
LITERALS = re.compile(r"'[^']*'|(?<![\w$%.:\"])\d+(?!\w)")


def test_the_room_has_statements() -> None:
    assert len(STATEMENTS) > 40


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_means_the_same_on_both_databases(name: str) -> None:
    ours, theirs = _compiled(name, sqlite.dialect()), _compiled(name, postgresql.dialect())  # type: ignore[no-untyped-call] # SQLAlchemy has no types for it
    assert _constants(ours) == _constants(theirs)
    assert LITERALS.findall(str(ours)) == LITERALS.findall(str(theirs))


def test_sqlite_knows_every_name_in_every_statement(database: Path) -> None:
    for statement in STATEMENTS.values():
        prepared = prepare_for_sqlite(statement)
        # Explained, not run.
        assert rows(database, f"EXPLAIN {prepared.text}", *[None] * len(prepared.order))


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_parameter_is_demanded_by_name(name: str) -> None:
    prepared = prepare_for_sqlite(STATEMENTS[name])
    demanded = [each for each in prepared.order if each not in prepared.bound]
    values: dict[str, object] = dict.fromkeys(demanded, 7)
    assert len(prepared.parameters(values)) == len(prepared.order)
    for missing in demanded:
        with pytest.raises(KeyError, match=missing):
            prepared.parameters({name: value for name, value in values.items() if name != missing})


def _constants(compiled: SQLCompiler) -> dict[str, object]:
    # SQLite has no LIMIT without an OFFSET, which is 0 and nobody's.
    return {name: value for name, value in compiled.params.items() if not (name.startswith("param_") and value == 0)}


def _compiled(name: str, dialect: sa.Dialect) -> SQLCompiler:
    compiled = STATEMENTS[name].compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    return compiled


def test_a_statement_is_prepared_once() -> None:
    prepared: list[Statement] = []

    def prepare(statement: Statement) -> Prepared:
        prepared.append(statement)
        return prepare_for_sqlite(statement)

    book, statement, other = Book(prepare), sa.select(project.c.id), sa.select(project.c.id)
    assert book[statement] is book[statement]
    assert book[other] is not book[statement]
    assert [id(each) for each in prepared] == [id(statement), id(other)]


def test_a_constant_of_the_statement_is_bound_and_a_given_value_goes_before_it() -> None:
    prepared = prepare_for_sqlite(sa.select(project.c.id).where(project.c.name == "library", project.c.used > 3))
    assert prepared.parameters({}) == ("library", 3)
    assert prepared.parameters({"used_1": 4}) == ("library", 4)


def test_parameters_stand_in_the_order_of_the_text_also_when_one_stands_twice() -> None:
    twice = sa.select(project.c.id).where(
        project.c.used > sa.bindparam("b"), project.c.owner_id > sa.bindparam("a"), project.c.id > sa.bindparam("b")
    )
    assert prepare_for_sqlite(twice).parameters({"a": 1, "b": 2}) == (2, 1, 2)
