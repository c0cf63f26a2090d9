"""Statements, compiled once: written as SQLAlchemy Core, executed as prepared text.

The text and the order of its parameters are all that the hot paths need. Executing a compiled statement on the driver's
own cursor costs 10 µs where the same through SQLAlchemy's connection costs 55, and building it anew 294 (design §6).
Values are kept as the schema keeps them (integers, text, bytes), so there are no types to convert at this level.

Upserts are written with PostgreSQL's `insert`, which SQLite's compiler renders too; row locks are left out there. So
every statement is written once. Both of PostgreSQL's drivers take the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect
from sqlalchemy.sql.compiler import SQLCompiler

Statement = sa.Select[Any] | sa.Insert | sa.Update | sa.Delete
Row = tuple[Any, ...]


class Overtaken(Exception):
    """Another transaction has changed what this one has seen; run again from the start, it will see the change."""


class Run(Protocol):
    """Execute a statement with the values of its parameters; all rows, drained."""

    def __call__(self, statement: Statement, /, **values: object) -> list[Row]: ...


class Runs(Protocol):
    """A connection that executes statements."""

    @property
    def run(self) -> Run: ...

    def run_many(self, statement: Statement, rows: Sequence[Mapping[str, object]], /) -> None:
        """The same statement for each row of parameters, in their order; what it returns is not wanted."""
        ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement's text, with its parameters in order; `bound` are the values that stand in the statement itself."""

    text: str
    order: tuple[str, ...]
    bound: dict[str, object]

    def parameters(self, values: Mapping[str, object]) -> tuple[object, ...]:
        """The values in the order of the text; a missing one is a KeyError, not a NULL."""
        bound = self.bound
        return tuple([values[name] if name in values else bound[name] for name in self.order])


def prepare_for_sqlite(statement: Statement) -> Prepared:
    """The statement's text in SQLite's words."""
    return _prepared(statement, sqlite.dialect(paramstyle="qmark"))


def prepare_for_postgresql(statement: Statement) -> Prepared:
    """The statement's text in PostgreSQL's words, its parameters `$1`, `$2` …, each once however often it stands there.

    The server works out their types: from the columns beside them, as it would for a person who types.
    """
    return _prepared(statement, PGDialect(paramstyle="numeric_dollar"))  # type: ignore[no-untyped-call] # SQLAlchemy has no types for it


def prepare_for_observing(statement: Statement) -> Prepared:
    """The same without row locks, which who only looks need not take, nor wait for."""
    return _prepared(statement, _Observing(paramstyle="numeric_dollar"))  # type: ignore[no-untyped-call] # the same


class _Unlocked(PGCompiler):
    def for_update_clause(self, select: Any, **_: Any) -> str:  # noqa: ANN401  SQLAlchemy's own signature
        del select
        return ""


class _Observing(PGDialect):
    statement_compiler = _Unlocked
    supports_statement_cache = True


def _prepared(statement: Statement, dialect: sa.Dialect) -> Prepared:
    compiled = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)  # noqa: S101  for the type checker: a statement, not a definition
    required = {name for bind, name in compiled.bind_names.items() if bind.required}
    bound = {name: value for name, value in compiled.params.items() if name not in required}
    return Prepared(str(compiled), tuple(compiled.positiontup or ()), bound)


class Book:
    """Remembers what was prepared, by the statement's identity: statements are module constants."""

    def __init__(self, prepare: Callable[[Statement], Prepared]) -> None:
        self._prepare = prepare
        self._pages: dict[int, tuple[Statement, Prepared]] = {}

    def __getitem__(self, statement: Statement) -> Prepared:
        page = self._pages.get(id(statement))
        if page is None:
            # The statement is kept beside its text, so that its id is never given to another.
            page = self._pages[id(statement)] = (statement, self._prepare(statement))
        return page[1]
