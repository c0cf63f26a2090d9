"""What every database promises of the audit log: one chain, whoever seals, and whenever one of them dies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import pytest

from registry.core import sealing
from registry.core.audit import Mark, Wanted
from registry.core.auditing import AuditService
from registry.core.facts import Action, Caller, Outcome
from registry.core.patterns import Pattern
from registry.core.ports import Contradicted, Metadata, Transaction
from registry.core.sealing import Sealed, Sealer
from registry.core.tenure import Tenure, TenureLost
from registry.core.witness import Sight

T = TypeVar("T")
FOR_EVER = timedelta(0)
STEPS = 7
"""Of a round: is there anything, the lease, a look, the seal, a look for more and one for old ones, the release."""
THE_SEAL = 4


class Killed(BaseException):
    """The process dies here."""


@dataclass
class Stepwise:
    """A database that has something done before each step; what that raises ends the process before the step."""

    metadata: Metadata
    before: Callable[[int], None]
    steps: int = 0

    def transact(self, work: Callable[[Transaction], T]) -> T:
        self._step()
        return self.metadata.transact(work)

    def observe(self, work: Callable[[Transaction], T]) -> T:
        self._step()
        return self.metadata.observe(work)

    def _step(self) -> None:
        self.steps += 1
        self.before(self.steps)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No event is too young to be sealed, and few go under one seal."""
    monkeypatch.setattr(sealing, "AGE", timedelta(0))
    monkeypatch.setattr(sealing, "MOST_SEALED", 10)


@pytest.fixture
def alice(metadata: Metadata) -> Caller:
    return metadata.transact(lambda tx: tx.accounts.add("alice", "user"))


def sealer(metadata: Metadata, holder: str, span: timedelta = timedelta(minutes=5)) -> Sealer:
    return Sealer(metadata, Tenure(metadata, "seal", holder, span), FOR_EVER)


def write(metadata: Metadata, by: Caller, *targets: object) -> None:
    for target in targets:
        metadata.transact(lambda tx, target=str(target): tx.journal.note(Action.ADD_PRINCIPAL, by, target=target))  # type: ignore[misc] # a default that binds


def holds(metadata: Metadata, events: int) -> bool:
    verified = AuditService(metadata).verify(FOR_EVER)
    return verified.holds and (verified.events, verified.unsealed) == (events, 0)


def test_what_was_written_is_sealed_once(metadata: Metadata, alice: Caller) -> None:
    write(metadata, alice, *range(25))
    assert sealer(metadata, "a").run() == Sealed(25)
    assert sealer(metadata, "b").run() == Sealed()
    assert [each.events for each in metadata.observe(lambda tx: tx.seals.page(0, 9))] == [10, 10, 5]
    assert holds(metadata, 25)


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_sealer_that_dies_between_two_steps_is_gone_on_from(metadata: Metadata, alice: Caller, step: int) -> None:
    write(metadata, alice, *range(7))

    def die(at: int) -> None:
        if at == step:
            raise Killed

    dying = Stepwise(metadata, die)
    with pytest.raises(Killed):
        sealer(dying, "a", span=timedelta(0)).run()
    write(metadata, alice, "later")
    assert dying.steps == step
    sealer(metadata, "b").run()
    assert holds(metadata, 8)


def test_a_round_has_no_other_steps(metadata: Metadata, alice: Caller) -> None:
    write(metadata, alice, "one")
    counting = Stepwise(metadata, lambda _: None)
    sealer(counting, "a").run()
    assert counting.steps == STEPS


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_sealer_that_sleeps_while_another_has_its_turn_forks_nothing(
    metadata: Metadata, alice: Caller, step: int
) -> None:
    write(metadata, alice, *range(7))
    other = sealer(metadata, "b", span=timedelta(0))

    def sleep(at: int) -> None:
        if at == step:
            write(metadata, alice, "meanwhile")
            other.run()

    sleepy = sealer(Stepwise(metadata, sleep), "a", span=timedelta(0))
    if step == THE_SEAL:
        with pytest.raises(TenureLost):
            sleepy.run()
    else:
        sleepy.run()
    other.run()
    assert holds(metadata, 8)


def test_many_who_write_and_several_who_seal_make_one_chain(metadata: Metadata, alice: Caller) -> None:
    writers, each, stop = 4, 30, threading.Event()

    def seal(number: int) -> None:
        # Leases that end at once: whoever comes takes it, in the middle of what the other does.
        ours = sealer(metadata, f"sealer {number}", span=timedelta(0))
        while not stop.is_set():
            try:
                ours.run()
            except TenureLost:
                continue

    with ThreadPoolExecutor(writers + 2) as pool:
        sealing_now = [pool.submit(seal, number) for number in range(2)]
        list(
            pool.map(lambda number: write(metadata, alice, *range(number * each, number * each + each)), range(writers))
        )
        stop.set()
        for ended in sealing_now:
            ended.result(60)
    sealer(metadata, "last").run()
    assert holds(metadata, writers * each)


def test_no_two_seals_follow_the_same_one(metadata: Metadata, alice: Caller) -> None:
    write(metadata, alice, *range(2))
    sealer(metadata, "a").run()
    (seal,) = metadata.observe(lambda tx: tx.seals.page(0, 9))
    with pytest.raises(Contradicted):
        metadata.transact(lambda tx: tx.seals.add(seal, []))


def test_old_events_go_seal_by_seal_and_the_chain_holds(metadata: Metadata, alice: Caller) -> None:
    write(metadata, alice, *range(12))
    sealer(metadata, "a").run()
    forgetful = Sealer(metadata, Tenure(metadata, "seal", "a"), timedelta(microseconds=1))
    assert forgetful.run() == Sealed(0, 12)
    assert AuditService(metadata).verify(timedelta(microseconds=1)).emptied == 2
    assert metadata.observe(lambda tx: tx.events.page(Wanted(), None, 9)) == []


def test_a_page_is_what_was_wanted_newest_first(metadata: Metadata, alice: Caller) -> None:
    refused = Sight(Action.PUSH_BLOB, Outcome.DENIED, alice, "team/app", "latest", detail="why")
    write(metadata, alice, "first")
    metadata.transact(lambda tx: tx.journal.tell(refused, timedelta(hours=1), 3))
    write(metadata, alice, "last")
    last, first, told = metadata.observe(lambda tx: tx.events.page(Wanted(), None, 9))
    assert (first.target, last.target, first.seal) == ("first", "last", None)
    assert (told.who, told.repository, told.reference, told.detail) == ("alice", "team/app", "latest", "why, 3 times")

    def found(wanted: Wanted, after: Mark | None = None) -> list[str]:
        return [
            each.target or each.repository for each in metadata.observe(lambda tx: tx.events.page(wanted, after, 9))
        ]

    assert found(Wanted(), Mark.behind(last)) == ["first", "team/app"]
    assert found(Wanted(repository=Pattern.parse("*/app"))) == ["team/app"]
    assert found(Wanted(repository=Pattern.parse("*/ap"))) == []
    assert found(Wanted(who="alice", action="principal.add")) == ["last", "first"]
    assert found(Wanted(outcome=Outcome.DENIED, until=first.at)) == ["team/app"]
    assert found(Wanted(since=first.at, until=last.at)) == ["first"]
    assert found(Wanted(who="bob")) == []
