"""SQLite: one writing thread, and one reading connection per thread that reads, in WAL mode, synchronous FULL.

A commit costs one flush of the disk, whoever asked for it. So writers that wait are taken along: the writing thread
runs every function that has queued up by then and commits once for all. Should one fail, the commit is given up and
each runs again in a transaction of its own: refusals are rare, and functions can be replayed.

    submit(work) ─▶ queue ─▶ writing thread ─▶ lock file (all workers) ─▶ BEGIN IMMEDIATE
                                                 work · work · work
                                                 COMMIT ─▶ every caller of the group has its answer
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from registry.core.ports import Contradicted
from registry.metadata.nouns import SqlTransaction
from registry.metadata.statements import Book, Row, Statement, prepare_for_sqlite
from registry.oci.errors import StorageFull

T = TypeVar("T")

_BUSY_MILLISECONDS: Final = 30_000
# How many functions one commit may answer: enough to hide the flush, few enough to keep the first from waiting long.
_MOST_TOGETHER: Final = 64
_MOST_TRIES: Final = 3
_BOOK: Final = Book(prepare_for_sqlite)


class Connection:
    """A connection of the driver, in autocommit, that runs prepared statements and never leaves a cursor open."""

    def __init__(self, path: Path, *, writes: bool, cache: int = 1024) -> None:
        """`cache` is in KiB: small where each of many threads has a connection and asks it one thing."""
        # Used by one thread at a time: the pen or the thread's own storage sees to it.
        self._driver = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        self._driver.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        self._driver.execute("PRAGMA foreign_keys = ON")
        self._driver.execute("PRAGMA synchronous = FULL")
        # What a statement may have to take back need not see a disk.
        self._driver.execute("PRAGMA temp_store = MEMORY")
        self._driver.execute(f"PRAGMA cache_size = -{cache}")
        self._driver.create_function("regexp", 2, _regexp, deterministic=True)
        if writes:
            self._driver.execute("PRAGMA journal_mode = WAL")
            # 16 MiB of log: to fold it back costs two flushes, and the default would ask them of every hundredth push.
            self._driver.execute("PRAGMA wal_autocheckpoint = 4000")
        else:
            self._driver.execute("PRAGMA query_only = ON")

    def run(self, statement: Statement, /, **values: object) -> list[Row]:
        """All rows: an open cursor would hold its snapshot, and with it the end of the log."""
        prepared = _BOOK[statement]
        return self._driver.execute(prepared.text, prepared.parameters(values)).fetchall()

    def run_many(self, statement: Statement, rows: Sequence[Mapping[str, object]], /) -> None:
        """One statement for many rows."""
        prepared = _BOOK[statement]
        self._driver.executemany(prepared.text, map(prepared.parameters, rows))

    def execute(self, text: str) -> list[Row]:
        """A command without parameters, such as BEGIN."""
        return self._driver.execute(text).fetchall()

    def version(self) -> int:
        """Another number after each commit of another connection, in this process or elsewhere."""
        version: int = self._driver.execute("PRAGMA data_version").fetchall()[0][0]
        return version

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._driver.in_transaction

    def close(self) -> None:
        """Give the descriptors back."""
        self._driver.close()


class _Waiting:
    """A function that waits for its turn, and who waits for its answer."""

    __slots__ = ("answer", "error", "result", "work")

    def __init__(self, work: Callable[[SqlTransaction], Any]) -> None:
        self.work = work
        self.answer: Future[Any] = Future()
        self.result: Any = None
        self.error: BaseException | None = None

    def tell(self) -> None:
        """Hand over what came of it."""
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.result)


class SqliteMetadata:
    """`Metadata` on SQLite; `path` is the database, migrated. Any number of threads and processes may use it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._open_writer()
        # SQLite waits by sleeping and trying again; a lock that the kernel hands on is fair and quick.
        self._turnstile = os.open(path.with_name(path.name + "-writer"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._local = threading.local()
        self._readers: list[Connection] = []
        self._thread = threading.Thread(target=self._write, name="writer", daemon=True)
        self._thread.start()

    def transact(self, work: Callable[[SqlTransaction], T]) -> T:
        """Run `work` in a transaction that is durable when this returns.

        Raises: what `work` raises, Contradicted, StorageFull.
        """
        return self.submit(work).result()

    def submit(self, work: Callable[[SqlTransaction], T]) -> Future[T]:
        """The same for who has something else to do meanwhile."""
        waiting = _Waiting(work)
        self._queue.put(waiting)
        return waiting.answer

    def observe(self, work: Callable[[SqlTransaction], T]) -> T:
        """Run `work` on this thread's reading connection."""
        transaction = self._reading()
        transaction.begin(_now())
        return work(transaction)

    def reader(self, cache: int = 1024) -> Connection:
        """A reading connection of one's own, with `cache` KiB; closed with this object."""
        connection = Connection(self._path, writes=False, cache=cache)
        self._readers.append(connection)
        return connection

    def close(self) -> None:
        """Close every connection; a last one to close also folds the log back into the database."""
        self._queue.put(None)
        self._thread.join()
        for connection in self._readers:
            connection.close()
        self._writer.close()
        os.close(self._turnstile)

    def _reading(self) -> SqlTransaction:
        transaction: SqlTransaction | None = getattr(self._local, "transaction", None)
        if transaction is None:
            transaction = self._local.transaction = SqlTransaction(self.reader())
        return transaction

    def _write(self) -> None:
        """The writing thread: whoever waits goes into one commit, then whoever has come since."""
        while group := self._gathered([], wait=True):
            try:
                with self._turn():
                    # Only now, with the database ours: who came while we waited for it goes along.
                    self._run(self._gathered(group, wait=False))
            except BaseException as error:
                self._after(error, group)
            for waiting in group:
                waiting.tell()

    def _gathered(self, group: list[_Waiting], *, wait: bool) -> list[_Waiting]:
        """The group with those who are queueing; with `wait`, at least one of them, or none when there will be none."""
        while len(group) < _MOST_TOGETHER:
            try:
                waiting = self._queue.get(block=wait and not group)
            except Empty:
                break
            if waiting is None:
                # For the next look at the queue too: this group may not be empty.
                self._queue.put(None)
                break
            if waiting.answer.set_running_or_notify_cancel():
                group.append(waiting)
        return group

    def _after(self, error: BaseException, group: list[_Waiting]) -> None:
        if len(group) == 1 and not _is_busy(error):
            group[0].error = _translated(error)
            return
        # Whose fault it was nobody knows: each gets its own transaction, and its own error.
        for waiting in group:
            self._write_alone(waiting)

    def _write_alone(self, waiting: _Waiting) -> None:
        """Replayed from the start while the database is busy."""
        for _ in range(_MOST_TRIES):
            try:
                with self._turn():
                    self._run([waiting])
                waiting.error = None
            except BaseException as error:
                # Handed to the caller who waits for it, whatever it is: the thread has others to write for.
                waiting.error = _translated(error)
                if _is_busy(error):
                    continue
            return

    def _run(self, group: list[_Waiting]) -> None:
        """All of them or none: no savepoint in between, which would have every page copied before it is changed."""
        now = _now()
        for waiting in group:
            self._transaction.begin(now)
            waiting.result = waiting.work(self._transaction)
            self._transaction.finish()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One write transaction among all workers; committed at the end, rolled back on any error."""
        fcntl.flock(self._turnstile, fcntl.LOCK_EX)
        try:
            # Before the first read: a snapshot taken earlier could not be written to any more.
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._writer.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        finally:
            fcntl.flock(self._turnstile, fcntl.LOCK_UN)

    def _roll_back(self) -> None:
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except sqlite3.Error:
            # A connection that cannot even forget is of no use to the next transaction.
            self._writer.close()
            self._open_writer()

    def _open_writer(self) -> None:
        self._writer = Connection(self._path, writes=True, cache=8192)
        self._transaction = SqlTransaction(self._writer)


def _regexp(pattern: str, text: str) -> bool:
    """What SQLite calls for `text REGEXP pattern`; compiled ones are kept by `re`."""
    return re.search(pattern, text) is not None


def _is_busy(error: BaseException) -> bool:
    busy = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in busy


def _translated(error: BaseException) -> BaseException:
    if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
    }:
        return StorageFull()
    return Contradicted(str(error)) if isinstance(error, sqlite3.IntegrityError) else error


def _now() -> int:
    """SQLite has no clock but this machine's."""
    return time.time_ns() // 1000
