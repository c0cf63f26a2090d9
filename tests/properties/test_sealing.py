"""Whatever is committed, in whatever order, by concurrent connections of PostgreSQL, ends up under exactly one seal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.core import sealing
from registry.core.auditing import AuditService
from registry.core.facts import Action, Caller
from registry.core.sealing import Sealer
from registry.core.tenure import Tenure
from registry.metadata.nouns import SqlTransaction
from registry.metadata.postgres import PostgresMetadata, Session
from tests.support.postgres import ask, opened, postgres_server

CONNECTIONS: Final = 4
FOR_EVER: Final = timedelta(0)
steps = st.lists(
    st.tuples(st.sampled_from(["write", "write", "commit", "roll back", "seal"]), st.integers(0, CONNECTIONS - 1)),
    max_size=30,
)


class Writer:
    """A connection that takes its time between an event and its commit."""

    def __init__(self, url: str, by: Caller) -> None:
        self.driver = psycopg.connect(url, autocommit=True, cursor_factory=psycopg.RawCursor)
        self.by = by
        self.open: Session | None = None
        self.written = 0

    def write(self) -> None:
        if self.open is None:
            self.open, self.written = Session(self.driver), 0
            self.micros = self.open.begin()[0]
        transaction = SqlTransaction(self.open)
        transaction.begin(self.micros)
        transaction.journal.note(Action.ADD_PRINCIPAL, self.by, target="somebody")
        self.written += 1

    def end(self, *, commits: bool) -> int:
        """How many events are there to stay."""
        if self.open is None:
            return 0
        if commits:
            self.open.commit()
        else:
            self.open.roll_back()
        self.open = None
        return self.written if commits else 0


@dataclass
class Scene:
    url: str
    metadata: PostgresMetadata
    sealer: Sealer
    writers: list[Writer] = field(default_factory=list)
    events: int = 0

    def step(self, what: str, which: int) -> None:
        writer = self.writers[which]
        if what == "seal":
            self.sealer.run()
        elif what == "write":
            writer.write()
        else:
            self.events += writer.end(commits=what == "commit")

    def check(self) -> None:
        for which in range(CONNECTIONS):
            self.step("commit", which)
        self.sealer.run()
        verified = AuditService(self.metadata).verify(FOR_EVER)
        assert verified.holds
        assert (verified.events, verified.unsealed) == (self.events, 0)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(sealing, "AGE", timedelta(0))
    monkeypatch.setattr(sealing, "MOST_SEALED", 3)
    with postgres_server().database() as url, opened(url) as metadata:
        alice = metadata.transact(lambda tx: tx.accounts.add("alice", "user"))
        sealer = Sealer(metadata, Tenure(metadata, "seal", "a"), FOR_EVER)
        writers = [Writer(url, alice) for _ in range(CONNECTIONS)]
        yield Scene(url, metadata, sealer, writers)
        for writer in writers:
            writer.driver.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_every_committed_event_is_sealed_once_and_no_other(scene: Scene, steps: list[tuple[str, int]]) -> None:
    # One chain for all examples: it grows, and has to hold all the while.
    for step in steps:
        scene.step(*step)
    scene.check()


def test_an_event_of_a_lower_id_that_is_committed_last_is_not_passed_over(scene: Scene) -> None:
    for step in [("write", 0), ("write", 1), ("commit", 1), ("seal", 0), ("write", 1), ("commit", 1), ("seal", 0)]:
        scene.step(*step)
    assert ask(scene.url, "SELECT count(*) FROM event WHERE seal_id IS NOT NULL") == [(2,)]
    scene.step("commit", 0)
    scene.check()
    assert ask(scene.url, "SELECT seal_id FROM event ORDER BY id") == [(3,), (1,), (2,)]
