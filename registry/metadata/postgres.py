"""PostgreSQL: a pool of connections, READ COMMITTED, and functions that are run again when the database asks for it.

    transact(work) ─▶ a connection ─▶ BEGIN, and with it the instant and the transaction's id
                                      work
                                      the project's counter, which everybody wants
                                      COMMIT ─▶ answered
        deadlock, conflict, connection lost ────────▶ again from the start, after a pause, as long as patience lasts
        connection lost while it was committing ────▶ its id is asked for (`Aftermath`): committed ─▶ answered,
                                                      aborted ─▶ again, nobody knows ─▶ Unavailable

    submit(work) ─▶ the same in a thread of its own
    observe(work) ─▶ no transaction, no locks: each statement sees what is committed by then

What came second to a unique name is run again too: it then finds the name, and decides again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import Int8Dumper
from psycopg_pool import ConnectionPool

from registry.core.ports import Contradicted
from registry.metadata.aftermath import Aftermath, life_of
from registry.metadata.nouns import SqlTransaction
from registry.metadata.outage import Outage
from registry.metadata.statements import (
    Book,
    Overtaken,
    Row,
    Statement,
    prepare_for_observing,
    prepare_for_postgresql,
)
from registry.oci.errors import StorageFull, Unavailable

T = TypeVar("T")


class Driver(psycopg.Connection[Row]):
    """A connection that knows which life of the server it is to."""

    life: str = ""


_WRITING: Final = Book(prepare_for_postgresql)
_OBSERVING: Final = Book(prepare_for_observing)
_CLOCK: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
# One message: the limits of waiting, then what the transaction is called and when it is. Set for this transaction only,
# because behind a pooler the connection is somebody else's the moment it ends.
_BEGIN: Final = (
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
    " SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '60s';"
    f" {_CLOCK}, pg_current_xact_id()::text"
)
# What a connection URL may say otherwise: a peer that is gone without a word is noticed in seconds, not hours.
_DEFAULTS: Final[Mapping[str, object]] = {
    "application_name": "entrepot",
    "client_encoding": "utf8",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# Each statement finds its rows by the same indexes whatever its parameters are: to plan it anew costs more than to run
# it. Not behind a pooler, which knows nothing of such settings, and where nothing is planned ahead.
_PLANNED_ONCE: Final = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off"
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.005, 0.5
# A connection that the pool could not open again by then is given up, and opened for who asks next.
_RECONNECTING_SECONDS: Final = 3.0
_MOST_REFUSALS: Final = 3
# Demoted to a standby behind our back: somebody else is the primary, and only a new connection finds it.
_NOT_HERE: Final = (errors.ReadOnlySqlTransaction,)
# The second is what a server says that took us for asleep: a machine that was suspended, say.
_TROUBLE: Final = (psycopg.OperationalError, errors.IdleInTransactionSessionTimeout, *_NOT_HERE)


class PostgresMetadata:
    """`Metadata` on PostgreSQL, migrated. Any number of threads, processes and machines may use the database."""

    def __init__(
        self, url: str, pool_size: int = 8, *, prepared_statements: bool = True, patience: float = 15.0
    ) -> None:
        """`patience` is in seconds: for how long a function is tried again before `Unavailable` (see `Outage`).

        Without `prepared_statements` nothing is kept on a connection between transactions, as poolers want it.
        """
        self._patience = patience
        self._outage = Outage(patience)
        self._connect: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(url)}
        if prepared_statements:
            self._connect["options"] = f"{self._connect.get('options') or ''} {_PLANNED_ONCE}"
        self._aftermath = Aftermath(self._connect, patience, _pauses)
        settings = {
            **self._connect,
            "autocommit": True,
            "cursor_factory": psycopg.RawCursor,
            "prepare_threshold": 2 if prepared_statements else None,
        }
        self._pool: ConnectionPool[Driver] = ConnectionPool(
            connection_class=Driver,
            kwargs=settings,
            min_size=1,
            max_size=pool_size,
            configure=_configure,
            timeout=patience,
            reconnect_timeout=_RECONNECTING_SECONDS,
            num_workers=2,
            open=True,
            name="metadata",
        )
        self._threads = ThreadPoolExecutor(pool_size, thread_name_prefix="writer")

    def transact(self, work: Callable[[SqlTransaction], T]) -> T:
        """Run `work` in a transaction that is durable when this returns.

        Raises: what `work` raises, Contradicted, StorageFull, Unavailable.
        """
        return self._insist(lambda ends: self._transact(work, ends))

    def submit(self, work: Callable[[SqlTransaction], T]) -> Future[T]:
        """The same for who has something else to do meanwhile; as many at once as there are connections."""
        return self._threads.submit(self.transact, work)

    def observe(self, work: Callable[[SqlTransaction], T]) -> T:
        """Run `work`, which only reads; it may be run again. Raises: what `work` raises, Unavailable."""

        def look(ends: float) -> T:
            with self._connection(ends) as driver:
                transaction = SqlTransaction(Observation(driver))
                # Mostly nobody asks, and it would be a journey of its own.
                transaction.begin(lambda: int(_told(driver.execute(_CLOCK, prepare=False))[0]))
                return work(transaction)

        return self._insist(look)

    def close(self) -> None:
        """What was submitted is written; then every connection is closed."""
        self._threads.shutdown()
        self._pool.close()

    def _transact(self, work: Callable[[SqlTransaction], T], ends: float) -> T:
        with self._connection(ends) as driver:
            session = Session(driver)
            try:
                micros, known_as = session.begin()
                transaction = SqlTransaction(session)
                transaction.begin(micros)
                result = work(transaction)
                transaction.finish()
            except BaseException:
                session.roll_back()
                raise
            try:
                session.commit()
            except (psycopg.OperationalError, errors.IdleInTransactionSessionTimeout):
                session.roll_back()
                if not driver.closed or not self._aftermath.has_committed(known_as, driver.life):
                    raise
            return result

    @contextmanager
    def _connection(self, ends: float) -> Iterator[Driver]:
        driver = self._pool.getconn(timeout=max(ends - time.monotonic(), 0.001))
        try:
            yield driver
        except _NOT_HERE:
            driver.close()
            raise
        finally:
            self._pool.putconn(driver)

    def _insist(self, attempt: Callable[[float], T]) -> T:
        """What comes of it, at the latest when patience ends; `attempt` is told when that is."""
        ends, refused = self._outage.ends(), 0
        for pause in _pauses():
            try:
                result = attempt(ends)
            except errors.IntegrityError as error:
                refused += 1
                if refused == _MOST_REFUSALS:
                    # Not somebody else's being quicker: what `work` wants cannot be.
                    raise Contradicted from error
            except errors.DiskFull as error:
                raise StorageFull from error
            except (Overtaken, *_TROUBLE) as error:
                is_away = not isinstance(error, Overtaken | errors.TransactionRollback)
                if is_away:
                    self._outage.goes_on()
                if time.monotonic() + pause > ends:
                    raise Unavailable from error
                if is_away:
                    # Where one connection is lost, others are: each is tried, and opened again, before it is taken.
                    self._pool.check()
            else:
                self._outage.is_over()
                return result
            time.sleep(pause)
        raise AssertionError("the pauses never end")


class Session:
    """A connection with a transaction of ours open on it."""

    def __init__(self, driver: psycopg.Connection[Row]) -> None:
        self._driver = driver
        self._cursor = driver.cursor()

    def run(self, statement: Statement, /, **values: object) -> list[Row]:
        """All rows."""
        prepared = _WRITING[statement]
        self._cursor.execute(prepared.text, prepared.parameters(values))
        return self._cursor.fetchall() if self._cursor.description else []

    def run_many(self, statement: Statement, rows: Sequence[Mapping[str, object]], /) -> None:
        """One statement for many rows, sent together."""
        prepared = _WRITING[statement]
        self._cursor.executemany(prepared.text, [prepared.parameters(row) for row in rows])

    def begin(self) -> tuple[int, str]:
        """The transaction's instant, and the id by which the server will remember it."""
        cursor = self._cursor.execute(_BEGIN, prepare=False)
        while cursor.nextset():
            pass
        micros, known_as = _told(cursor)
        return micros, known_as

    def commit(self) -> None:
        """Durable when this returns."""
        self._cursor.execute("COMMIT", prepare=False)
        if self._cursor.statusmessage != "COMMIT":
            # So is answered, without an error, who commits a transaction that an error has ended.
            raise errors.InFailedSqlTransaction("an error was passed over, and nothing is committed")

    def roll_back(self) -> None:
        """Nothing took place; a connection that cannot even do that is closed."""
        try:
            self._cursor.execute("ROLLBACK", prepare=False)
        except psycopg.Error:
            self._driver.close()


class Observation:
    """A connection that statements are run on which only read; each on its own."""

    def __init__(self, driver: Driver) -> None:
        self._cursor = driver.cursor()

    def run(self, statement: Statement, /, **values: object) -> list[Row]:
        """All rows. Raises: ReadOnlySqlTransaction for a statement that writes."""
        if not statement.is_select:
            raise errors.ActiveSqlTransaction("an observer cannot write")
        prepared = _OBSERVING[statement]
        return self._cursor.execute(prepared.text, prepared.parameters(values)).fetchall()

    def run_many(self, statement: Statement, rows: Sequence[Mapping[str, object]], /) -> None:
        """The same for each row."""
        for row in rows:
            self.run(statement, **row)


def _configure(driver: Driver) -> None:
    # Every number as a bigint, whatever its size: else each size would be a statement of its own to prepare.
    driver.adapters.register_dumper(int, Int8Dumper)
    driver.prepared_max = 512
    driver.life = life_of(driver)


def _told(cursor: psycopg.Cursor[Row]) -> Row:
    row = cursor.fetchone()
    assert row is not None  # noqa: S101  for the type checker: an aggregate or a constant, always one row
    return row


def _pauses() -> Iterator[float]:
    """In seconds, longer and longer; not the same for two who got in each other's way."""
    longest = _SHORTEST_PAUSE
    while True:
        yield longest * random.uniform(0.5, 1)  # noqa: S311  no secret
        longest = min(2 * longest, _LONGEST_PAUSE)
