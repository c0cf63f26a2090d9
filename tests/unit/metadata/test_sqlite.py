"""SQLite behind the port: who waits is taken along, who fails fails alone, and what is answered is on the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from registry.core.ports import Contradicted
from registry.metadata import sqlite
from registry.metadata.nouns import SqlTransaction
from registry.metadata.recognition import bump
from registry.metadata.sqlite import SqliteMetadata
from registry.oci.digest import Digest
from registry.oci.errors import ManifestUnknown
from registry.oci.manifest import parse_manifest
from registry.oci.names import RepositoryName
from tests.unit.metadata.databases import at_once, opened, rows, someone

APP = RepositoryName("team/app")


@pytest.fixture
def statements(metadata: SqliteMetadata) -> list[str]:
    """What the writer is told from now on."""
    told: list[str] = []
    metadata._writer._driver.set_trace_callback(told.append)
    return told


def setting(metadata: SqliteMetadata, name: str, value: str = "value") -> str:
    return metadata.transact(lambda tx: tx.settings.get_or_put(name, value))


def names(database: Path) -> set[str]:
    return {row[0] for row in rows(database, "SELECT name FROM setting")}


class Crowd:
    """Works that queue up while the writing thread is at another one."""

    def __init__(self, metadata: SqliteMetadata, statements: list[str] | None = None) -> None:
        """`statements` are then those of the crowd only."""
        self._metadata = metadata
        self._statements = statements

    def write(self, works: list[Callable[[SqlTransaction], object]]) -> dict[int, object]:
        """What each was answered, a result or an error, by its place."""
        with self.queueing(works) as asked:
            pass
        return {place: each.exception(10) or each.result(10) for place, each in enumerate(asked)}

    @contextmanager
    def queueing(self, works: list[Callable[[SqlTransaction], object]]) -> Iterator[list[Future[object]]]:
        """They wait as long as the block lasts."""
        begun, may_end = Event(), Event()

        def hold(_: SqlTransaction) -> None:
            begun.set()
            may_end.wait(10)

        held = self._metadata.submit(hold)
        assert begun.wait(10)
        try:
            yield [self._metadata.submit(work) for work in works]
        finally:
            # The held one's own BEGIN is told by now, and its COMMIT will be.
            if self._statements is not None:
                self._statements.clear()
            may_end.set()
            held.result(10)


def keep(name: str) -> Callable[[SqlTransaction], object]:
    return lambda tx: tx.settings.get_or_put(name, name)


# Together


def test_writers_that_wait_share_one_commit_and_each_gets_its_own_answer(
    metadata: SqliteMetadata, database: Path, statements: list[str]
) -> None:
    answers = Crowd(metadata, statements).write([keep(f"name-{each}") for each in range(9)])
    assert answers == {each: f"name-{each}" for each in range(9)}
    # One is theirs, the other of who held them up.
    assert statements.count("COMMIT") == 2
    assert len(names(database)) == 9


def test_an_error_undoes_only_the_work_that_raised_it(metadata: SqliteMetadata, database: Path) -> None:
    def fail(tx: SqlTransaction) -> None:
        tx.settings.get_or_put("undone", "")
        raise ManifestUnknown(reference="x")

    answers = Crowd(metadata).write([keep("first"), fail, keep("last")])
    assert (answers[0], answers[2]) == ("first", "last")
    assert isinstance(answers[1], ManifestUnknown)
    assert names(database) == {"first", "last"}


def test_a_constraint_that_one_work_breaks_is_its_own_trouble(metadata: SqliteMetadata, database: Path) -> None:
    metadata.transact(lambda tx: tx.accounts.add("alice", "user"))
    answers = Crowd(metadata).write([keep("first"), lambda tx: tx.accounts.add("alice", "user"), keep("last")])
    assert isinstance(answers[1], Contradicted)
    assert names(database) == {"first", "last"}


def test_more_writers_than_fit_one_commit_are_all_answered(metadata: SqliteMetadata, statements: list[str]) -> None:
    many = sqlite._MOST_TOGETHER + 3
    works = [keep(str(each)) for each in range(many)]
    assert Crowd(metadata, statements).write(works) == {each: str(each) for each in range(many)}
    assert statements.count("COMMIT") == 3


def test_who_was_answered_with_others_does_not_wait_for_the_next_group(metadata: SqliteMetadata) -> None:
    may_end = Event()
    works: list[Callable[[SqlTransaction], object]] = [keep("one")] * sqlite._MOST_TOGETHER
    with Crowd(metadata).queueing([*works, lambda _: may_end.wait(10)]) as asked:
        pass
    assert asked[0].result(10) == "one"
    assert not asked[-1].done()
    may_end.set()
    assert asked[-1].result(10)


def test_a_work_that_is_cancelled_before_its_turn_never_runs(metadata: SqliteMetadata, database: Path) -> None:
    with Crowd(metadata).queueing([keep("first"), keep("cancelled"), keep("last")]) as asked:
        assert asked[1].cancel()
    assert [asked[0].result(10), asked[2].result(10)] == ["first", "last"]
    assert names(database) == {"first", "last"}


def test_what_is_queued_when_the_database_closes_is_still_written(database: Path) -> None:
    metadata = SqliteMetadata(database)
    with Crowd(metadata).queueing([keep(str(each)) for each in range(3)]):
        closing_it = Thread(target=metadata.close)
        closing_it.start()
    closing_it.join()
    assert names(database) == {"0", "1", "2"}


def test_a_work_that_is_torn_away_is_told_and_the_next_is_written(metadata: SqliteMetadata, database: Path) -> None:
    def torn(_: SqlTransaction) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        metadata.transact(torn)
    assert setting(metadata, "after") == "value"
    assert names(database) == {"after"}


def test_a_work_that_the_database_refuses_takes_nobody_along(metadata: SqliteMetadata, database: Path) -> None:
    answers = Crowd(metadata).write([keep("first"), lambda _: metadata._writer.execute("SELECT nothing"), keep("last")])
    assert (answers[0], answers[2]) == ("first", "last")
    assert isinstance(answers[1], sqlite3.OperationalError)
    assert names(database) == {"first", "last"}


def test_a_busy_database_is_tried_again_and_who_comes_meanwhile_is_not_forgotten(
    metadata: SqliteMetadata, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[object] = []
    late = Thread(target=lambda: answers.append(metadata.transact(keep("late"))))
    holder = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    metadata._writer.execute("PRAGMA busy_timeout = 0")
    is_busy = sqlite._is_busy

    def meanwhile(error: BaseException) -> bool:
        holder.close()
        late.start()
        while metadata._queue.empty():
            Event().wait(0.001)
        return is_busy(error)

    monkeypatch.setattr(sqlite, "_is_busy", meanwhile)
    assert setting(metadata, "early") == "value"
    late.join()
    assert answers == ["late"]


def test_a_database_that_stays_busy_is_an_error_of_who_asked(metadata: SqliteMetadata, database: Path) -> None:
    metadata._writer.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            setting(metadata, "refused")
    assert setting(metadata, "after") == "value"
    assert names(database) == {"after"}


# One work


def test_what_was_answered_is_committed_and_what_was_refused_is_not(metadata: SqliteMetadata, database: Path) -> None:
    setting(metadata, "kept")

    def refused(tx: SqlTransaction) -> None:
        tx.settings.get_or_put("refused", "")
        raise LookupError

    with pytest.raises(LookupError):
        metadata.transact(refused)
    assert names(database) == {"kept"}


def test_a_transaction_begins_before_its_first_read(metadata: SqliteMetadata, statements: list[str]) -> None:
    metadata.transact(lambda tx: tx.repositories.find(APP))
    assert statements[0] == "BEGIN IMMEDIATE"
    assert statements[-1] == "COMMIT"


def test_an_interrupt_leaves_no_transaction_open(metadata: SqliteMetadata, database: Path) -> None:
    def interrupted(tx: SqlTransaction) -> None:
        tx.settings.get_or_put("interrupted", "")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        metadata.transact(interrupted)
    setting(metadata, "after")
    assert names(database) == {"after"}


def test_the_writer_is_durable_and_minds_foreign_keys(metadata: SqliteMetadata) -> None:
    pragmas = {each: metadata._writer.execute(f"PRAGMA {each}")[0][0] for each in ("journal_mode", "foreign_keys")}
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1}
    assert metadata._writer.execute("PRAGMA synchronous") == [(2,)]


def test_text_that_only_json_can_hold_is_kept(metadata: SqliteMetadata) -> None:
    # A lone surrogate is no text that SQL could hold.
    content = b'{"annotations": {"\\ud800": "\\u0000"}}'
    alice, app = someone(metadata), metadata.transact(lambda tx: tx.repositories.get_or_create(APP))
    manifest = parse_manifest(content, "a/b")
    assert metadata.transact(lambda tx: tx.manifests.put(app, Digest.of(content), content, manifest, alice))


# Reading


def test_observing_sees_at_once_what_is_committed_and_nothing_before(metadata: SqliteMetadata) -> None:
    seen: list[bool] = []

    def look() -> None:
        seen.append(metadata.observe(lambda tx: tx.repositories.find(APP)) is not None)

    def create(tx: SqlTransaction) -> None:
        tx.repositories.get_or_create(APP)
        other = Thread(target=look)
        other.start()
        other.join()

    look()
    metadata.transact(create)
    look()
    assert seen == [False, False, True]


def test_each_statement_of_one_observation_sees_what_another_process_has_committed(
    metadata: SqliteMetadata, database: Path
) -> None:
    def twice(tx: SqlTransaction) -> list[bool]:
        first = tx.repositories.find(APP) is not None
        with opened(database) as other:
            other.transact(lambda tx: tx.repositories.get_or_create(APP))
        return [first, tx.repositories.find(APP) is not None]

    assert metadata.observe(twice) == [False, True]


def test_an_observer_cannot_write(metadata: SqliteMetadata) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        metadata.observe(lambda tx: tx.settings.get_or_put("x", "y"))


def test_a_reader_leaves_nothing_open_that_holds_the_log(metadata: SqliteMetadata, database: Path) -> None:
    setting(metadata, "before")
    metadata.observe(lambda tx: tx.uploads.expired(1))
    with closing(sqlite3.connect(database)) as other:
        # Busy, pages in the log, pages moved into the database: all of them could be.
        busy, log, moved = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert (busy, log) == (0, moved)


# Several processes


def test_processes_that_write_at_once_lose_nothing(database: Path) -> None:
    def write(number: int) -> int:
        with opened(database) as metadata:
            for each in range(20):
                setting(metadata, f"{number}-{each}")
                # Read, then written, by everybody: who would not wait for its turn would count too few.
                metadata.transact(lambda tx: tx.accounts._moment.run(bump, name="count"))
        return number

    assert at_once(write, processes=3) == [0, 1, 2]
    assert len(names(database)) == 60
    assert rows(database, "SELECT value FROM generation WHERE name = 'count'") == [(60,)]


def test_a_writer_waits_for_another_process_that_has_the_database(metadata: SqliteMetadata, database: Path) -> None:
    holder = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    waiting = metadata.submit(keep("waited"))
    while not waiting.running():
        Event().wait(0.001)
    assert not waiting.done()
    holder.execute("COMMIT")
    assert waiting.result(10) == "waited"
    holder.close()
