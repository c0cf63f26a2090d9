"""PostgreSQL cut off while it commits: what took place is answered and not done twice, what did not is done again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from threading import Event

import psycopg
import pytest

from registry.metadata.aftermath import Aftermath, life_of
from registry.metadata.nouns import SqlTransaction
from registry.metadata.postgres import PostgresMetadata
from registry.oci.errors import Unavailable
from tests.support.postgres import PostgresServer, ask, cut, opened, postgres_server


@pytest.fixture
def server() -> PostgresServer:
    return postgres_server(apart=True)


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    with server.database() as url:
        yield url


@pytest.fixture
def aftermath(url: str) -> Aftermath:
    return Aftermath({"conninfo": url}, 10.0, lambda: repeat(0.01))


@pytest.fixture
def metadata(url: str) -> Iterator[PostgresMetadata]:
    with opened(url) as metadata:
        yield metadata


def names(url: str) -> set[str]:
    return {row[0] for row in ask(url, "SELECT name FROM setting")}


def counted() -> tuple[Callable[[SqlTransaction], int], list[int]]:
    """A work that keeps a setting named for its run and gives that number; and the list of its runs."""
    runs: list[int] = []

    def work(tx: SqlTransaction) -> int:
        runs.append(len(runs) + 1)
        tx.settings.get_or_put(f"run {len(runs)}", "")
        return len(runs)

    return work, runs


def wait_until(url: str, condition: str) -> None:
    while not ask(url, f"SELECT {condition}")[0][0]:
        Event().wait(0.005)


@contextmanager
def a_commit_that_waits_for_a_standby(url: str) -> Iterator[None]:
    """It is on the disk, and its answer is held back: the moment in which a lost connection tells nothing."""
    ask(url, "ALTER SYSTEM SET synchronous_standby_names = 'absent'")
    ask(url, "SELECT pg_reload_conf()")
    wait_until(url, "current_setting('synchronous_standby_names') = 'absent'")
    try:
        yield
    finally:
        ask(url, "ALTER SYSTEM RESET synchronous_standby_names")
        ask(url, "SELECT pg_reload_conf()")


def cut_while_it_commits(url: str, waiting_for: str) -> None:
    which = f"query = 'COMMIT' AND wait_event = '{waiting_for}'"
    wait_until(url, f"EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND {which})")
    assert cut(url, which) == 1


def test_a_commit_whose_answer_is_lost_is_not_done_twice(metadata: PostgresMetadata, url: str) -> None:
    work, runs = counted()
    with a_commit_that_waits_for_a_standby(url):
        answer = metadata.submit(work)
        cut_while_it_commits(url, "SyncRep")
        assert answer.result(30) == 1
    assert (runs, names(url)) == ([1], {"run 1"})


def test_a_commit_that_is_cut_off_before_it_took_place_is_run_again(metadata: PostgresMetadata, url: str) -> None:
    ask(
        url,
        """
        CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON setting DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION linger();
        """,
    )
    work, runs = counted()
    with psycopg.connect(url) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(77)")
        answer = metadata.submit(work)
        cut_while_it_commits(url, "advisory")
    assert answer.result(30) == 2
    assert (runs, names(url)) == ([1, 2], {"run 2"})


def test_a_commit_of_which_nobody_can_tell_is_unavailable_and_not_run_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, runs = counted()
    with opened(url, patience=0.3) as metadata:
        monkeypatch.setattr(Aftermath, "status", lambda *_: None)
        with a_commit_that_waits_for_a_standby(url):
            answer = metadata.submit(work)
            cut_while_it_commits(url, "SyncRep")
            with pytest.raises(Unavailable):
                answer.result(30)
    assert runs == [1]


def test_an_id_that_the_server_never_gave_away_is_no_commit(aftermath: Aftermath) -> None:
    # As after a failover to a standby that had not heard of it.
    assert not aftermath.has_committed("999999999", "any life")


def test_an_id_that_a_crashed_server_gave_away_again_tells_nothing(
    server: PostgresServer, url: str, aftermath: Aftermath
) -> None:
    driver = psycopg.connect(url)
    life, lost = life_of(driver), driver.execute("SELECT pg_current_xact_id()::text").fetchone()
    assert lost is not None
    server.crash()
    server.start()
    driver.close()
    while (again := ask(url, "SELECT pg_current_xact_id()::text")[0]) != lost:
        assert int(again[0]) < int(lost[0])
    with pytest.raises(Unavailable):
        aftermath.has_committed(lost[0], life)
