"""Migrated databases, as cheap as a copy: the migrations run once per test run."""

from __future__ import annotations

import multiprocessing
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from registry.core.facts import Caller
from registry.metadata.migrate import migrate
from registry.metadata.sqlite import SqliteMetadata

T = TypeVar("T")
_MEMORY = Path("/dev/shm")


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        database = Path(folder, "registry.db")
        migrate(database)
        return database.read_bytes()


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory where there is one: what is done a thousand times need not reach a disk."""
    with TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def new_database(folder: Path) -> Path:
    """An empty registry's database in this folder."""
    database = folder / "registry.db"
    database.write_bytes(_migrated())
    return database


@contextmanager
def opened(database: Path) -> Iterator[SqliteMetadata]:
    """As one process has it."""
    metadata = SqliteMetadata(database)
    try:
        yield metadata
    finally:
        metadata.close()


def rows(database: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What the tables say, asked by nobody's code but the test's."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.create_function("regexp", 2, lambda pattern, text: re.search(pattern, text) is not None)
        return connection.execute(query, values).fetchall()


def someone(metadata: SqliteMetadata, name: str = "alice", kind: str = "user") -> Caller:
    """A new account."""
    return metadata.transact(lambda tx: tx.accounts.add(name, kind))


def at_once(work: Callable[[int], T], processes: int) -> list[T]:
    """What `work` gives in each of several processes that begin together, forked from this one; each has its number."""
    context = multiprocessing.get_context("fork")
    answers, start = context.SimpleQueue(), context.Barrier(processes)

    def run(number: int) -> None:
        try:
            start.wait(60)
            answers.put((number, work(number)))
        except BaseException as error:
            answers.put((number, repr(error)))

    children = [context.Process(target=run, args=(number,)) for number in range(processes)]
    for child in children:
        child.start()
    found: dict[int, T] = dict(answers.get() for _ in children)
    for child in children:
        child.join(60)
    return [found[number] for number in range(processes)]
