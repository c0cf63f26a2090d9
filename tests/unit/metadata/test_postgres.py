"""PostgreSQL behind the port: what is answered is committed once, whatever the server does meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from itertools import count
from threading import Event, Thread

import psycopg
import pytest
from psycopg import errors

from registry.core.facts import ContentKind
from registry.core.ports import Contradicted
from registry.metadata.nouns import SqlTransaction
from registry.metadata.postgres import PostgresMetadata
from registry.metadata.statements import Overtaken
from registry.oci.digest import Digest
from registry.oci.errors import Unavailable
from registry.oci.names import RepositoryName
from tests.support.postgres import PostgresServer, ask, cut, opened, postgres_server

APP = RepositoryName("team/app")


@pytest.fixture
def server() -> PostgresServer:
    return postgres_server(apart=True)


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    with server.database() as url:
        yield url


@pytest.fixture
def metadata(url: str) -> Iterator[PostgresMetadata]:
    with opened(url) as metadata:
        yield metadata


def names(url: str) -> set[str]:
    return {row[0] for row in ask(url, "SELECT name FROM setting")}


def keep(name: str) -> Callable[[SqlTransaction], str]:
    return lambda tx: tx.settings.get_or_put(name, name)


def failing_first(error: Exception, times: int = 1) -> tuple[Callable[[SqlTransaction], int], list[int]]:
    """A work that keeps a setting, then fails so many times; and the list of its runs."""
    runs: list[int] = []

    def work(tx: SqlTransaction) -> int:
        runs.append(len(runs))
        tx.settings.get_or_put(f"run {len(runs)}", "")
        if len(runs) <= times:
            raise error
        return len(runs)

    return work, runs


# Once


def test_a_work_is_committed_and_a_refusal_is_not(metadata: PostgresMetadata, url: str) -> None:
    assert metadata.transact(keep("kept")) == "kept"
    work, runs = failing_first(LookupError())
    with pytest.raises(LookupError):
        metadata.transact(work)
    assert (len(runs), names(url)) == (1, {"kept"})


def test_an_interrupt_leaves_no_transaction_open(metadata: PostgresMetadata, url: str) -> None:
    def interrupted(tx: SqlTransaction) -> None:
        tx.settings.get_or_put("interrupted", "")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        metadata.transact(interrupted)
    assert metadata.transact(keep("after")) == "after"
    assert names(url) == {"after"}


def test_an_error_that_a_work_passes_over_is_no_commit(metadata: PostgresMetadata, url: str) -> None:
    def careless(tx: SqlTransaction) -> None:
        tx.settings.get_or_put("lost", "")
        with pytest.raises(errors.UniqueViolation):
            [tx.accounts.add("alice", "user") for _ in range(2)]

    with pytest.raises(errors.InFailedSqlTransaction):
        metadata.transact(careless)
    assert names(url) == set()


def test_an_observer_cannot_write_and_waits_for_no_lock(metadata: PostgresMetadata) -> None:
    alice = metadata.transact(lambda tx: tx.accounts.add("alice", "user"))
    app = metadata.transact(lambda tx: tx.repositories.get_or_create(APP))
    metadata.transact(lambda tx: tx.uploads.add("u-1", app, alice, "sha256", tx.now))

    def hold(tx: SqlTransaction) -> object:
        tx.uploads.find(APP, "u-1")
        return metadata.observe(lambda other: other.uploads.find(APP, "u-1"))

    assert metadata.transact(hold) is not None
    with pytest.raises(errors.ActiveSqlTransaction, match="observer"):
        metadata.observe(keep("x"))


def test_what_was_submitted_is_written_before_it_closes(url: str) -> None:
    with opened(url) as metadata:
        answers: list[Future[str]] = [metadata.submit(keep(str(each))) for each in range(20)]
    assert [each.result(10) for each in answers] == [str(each) for each in range(20)]
    assert len(names(url)) == 20


def test_who_has_charged_its_project_makes_nobody_wait_who_charges_it_too(metadata: PostgresMetadata, url: str) -> None:
    app = metadata.transact(lambda tx: tx.repositories.get_or_create(APP))

    def charge(tx: SqlTransaction, content: bytes) -> None:
        tx.repositories.charge(app, ContentKind.BLOB, Digest.of(content), len(content))

    def charge_between(tx: SqlTransaction) -> None:
        charge(tx, b"one")
        metadata.transact(lambda other: charge(other, b"three"))

    metadata.transact(charge_between)
    assert ask(url, "SELECT used FROM project") == [(8,)]


def test_without_prepared_statements_none_is_kept(url: str) -> None:
    def prepared(tx: SqlTransaction) -> int:
        for number in range(20):
            tx.settings.get_or_put("same", str(number))
        session = tx._moment.run.__self__  # type: ignore[attr-defined] # a bound method
        row = session._cursor.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
        return int(row[0])

    with opened(url, prepared_statements=False) as metadata:
        assert metadata.transact(prepared) == 0
    with opened(url) as metadata:
        assert metadata.transact(prepared) == 2


# Again


@pytest.mark.parametrize("error", [errors.SerializationFailure(), errors.DeadlockDetected(), Overtaken()])
def test_a_conflict_is_run_again_from_the_start(metadata: PostgresMetadata, url: str, error: Exception) -> None:
    work, runs = failing_first(error, times=3)
    assert metadata.transact(work) == 4
    assert (len(runs), names(url)) == (4, {"run 4"})


def test_a_conflict_without_end_is_told_as_unavailable(url: str) -> None:
    work, runs = failing_first(errors.DeadlockDetected(), times=1_000_000)
    with opened(url, patience=0.2) as metadata, pytest.raises(Unavailable):
        metadata.transact(work)
    assert len(runs) > 1
    assert names(url) == set()


def test_what_cannot_be_is_an_error_of_who_wants_it(metadata: PostgresMetadata, url: str) -> None:
    metadata.transact(lambda tx: tx.accounts.add("alice", "user"))
    with pytest.raises(Contradicted):
        metadata.transact(lambda tx: tx.accounts.add("alice", "user"))
    assert ask(url, "SELECT count(*) FROM principal") == [(1,)]


def test_a_connection_that_is_cut_in_the_middle_is_replaced_and_the_work_run_again(
    metadata: PostgresMetadata, url: str
) -> None:
    runs: list[int] = []

    def work(tx: SqlTransaction) -> str:
        runs.append(1)
        tx.settings.get_or_put(f"run {len(runs)}", "")
        if len(runs) == 1:
            assert cut(url) >= 1
        return tx.settings.get_or_put("last", "value")

    assert metadata.transact(work) == "value"
    assert names(url) == {"run 2", "last"}


def test_connections_that_died_while_nobody_looked_are_replaced(metadata: PostgresMetadata, url: str) -> None:
    metadata.transact(keep("before"))
    assert cut(url) >= 1
    assert metadata.observe(lambda tx: tx.accounts.find("nobody")) is None
    assert cut(url) >= 1
    assert metadata.transact(keep("after")) == "after"


def test_a_server_that_dies_and_comes_back_loses_nothing_that_was_answered(server: PostgresServer, url: str) -> None:
    answered, unknown = set[str](), set[str]()
    stop = Event()

    def write(metadata: PostgresMetadata, thread: int) -> None:
        for number in count():
            if stop.is_set():
                return
            name = f"{thread}-{number}"
            try:
                answered.add(metadata.transact(keep(name)))
            except Unavailable:
                # Cut off while it committed; by now another transaction may have its id.
                unknown.add(name)

    with opened(url, pool_size=4, patience=60) as metadata:
        threads = [Thread(target=write, args=(metadata, each)) for each in range(4)]
        for each in threads:
            each.start()
        for _ in range(2):
            at_least = len(answered) + 50
            while len(answered) < at_least:
                Event().wait(0.005)
            server.crash()
            server.start()
        at_least = len(answered) + 50
        while len(answered) < at_least:
            Event().wait(0.005)
        stop.set()
        for each in threads:
            each.join(60)
    assert answered <= names(url) <= answered | unknown
    assert len(unknown) <= 2 * len(threads)


def test_a_server_that_is_gone_is_told_as_unavailable(server: PostgresServer, url: str) -> None:
    with opened(url, patience=0.3) as metadata:
        metadata.transact(keep("before"))
        server.stop()
        try:
            with pytest.raises(Unavailable):
                metadata.transact(keep("refused"))
            with pytest.raises(Unavailable):
                metadata.observe(lambda tx: tx.accounts.find("nobody"))
        finally:
            server.start()
    with opened(url) as metadata:
        assert metadata.transact(keep("after")) == "after"
    assert names(url) == {"before", "after"}


def test_a_pool_that_stays_full_is_told_as_unavailable(url: str) -> None:
    begun, may_end = Event(), Event()

    def hold(_: SqlTransaction) -> None:
        begun.set()
        may_end.wait(30)

    with opened(url, pool_size=1, patience=0.3) as metadata:
        held = metadata.submit(hold)
        assert begun.wait(10)
        with pytest.raises(Unavailable):
            metadata.transact(keep("refused"))
        may_end.set()
        held.result(10)
        assert metadata.transact(keep("after")) == "after"


def test_a_lock_that_is_never_let_go_is_told_as_unavailable(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.metadata.postgres._BEGIN", _impatient())
    with psycopg.connect(url) as holder, opened(url, patience=0.2) as metadata:
        holder.execute("LOCK TABLE setting")
        with pytest.raises(Unavailable):
            metadata.transact(keep("refused"))


def _impatient() -> str:
    from registry.metadata import postgres

    assert "lock_timeout = '10s'" in postgres._BEGIN
    return postgres._BEGIN.replace("lock_timeout = '10s'", "lock_timeout = '20ms'")


# As it is stored


def test_names_sort_by_their_bytes_whatever_the_databases_language(metadata: PostgresMetadata, url: str) -> None:
    kept_as = """
        SELECT relname || '.' || attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND attcollation = '"C"'::regcollation
        """
    assert {f"{table}.name" for table in ("repository", "tag", "project", "principal")} <= {
        row[0] for row in ask(url, kept_as)
    }
    listed = ["a", "a-b", "a.b", "a/b", "a0", "a_b", "ab", "b"]
    metadata.transact(lambda tx: [tx.repositories.get_or_create(RepositoryName(each)) for each in reversed(listed)])
    # The order of an English dictionary, where this server knows one, would be another.
    assert [row[0] for row in ask(url, "SELECT name FROM repository ORDER BY name")] == listed
    assert ask(url, "SELECT count(*) FROM pg_index WHERE '\"C\"'::regcollation = ANY (indcollation)")[0][0] >= 4


def test_bytes_and_numbers_come_back_as_they_went_in(metadata: PostgresMetadata) -> None:
    content = bytes(range(256)) * 20
    app = metadata.transact(lambda tx: tx.repositories.get_or_create(APP))
    metadata.transact(lambda tx: tx.blobs.put_content(Digest.of(content), content))
    metadata.transact(lambda tx: tx.links.put(app, Digest.of(content), timedelta(hours=1)))
    found = metadata.observe(lambda tx: tx.links.find(app, Digest.of(content)))
    assert found is not None
    assert type(found.content) is bytes
    assert (found.content, found.size, found.key) == (content, len(content), None)
