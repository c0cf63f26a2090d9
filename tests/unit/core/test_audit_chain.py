"""The chain over a real database: whatever is tampered with is found, and what is only old is not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.core.audit import FIRST, Seal, line_of
from registry.core.audit_chain import Verified
from registry.core.sealing import Sealed
from tests.unit.core.audit_log import DAY, KEEP, Log


def test_a_chain_that_nobody_touched_holds(chain: Log) -> None:
    verified = chain.verify()
    assert verified.holds
    assert (verified.seals, verified.events, verified.emptied, verified.unsealed) == (3, 8, 0, 1)
    assert [(verified.head,)] == chain.sql("SELECT hash FROM seal WHERE id = 3")


def test_an_empty_log_holds(log: Log) -> None:
    assert log.verify() == Verified(head=FIRST)
    assert log.exported() == []


COLUMNS = {
    "at": "at + 1",
    "action": "'tag.set'",
    "outcome": "'denied'",
    "principal_id": "principal_id - 1",
    "who": "'mallory'",
    "credential_id": "7",
    "address": "'192.0.2.1'",
    "repository": "'team/app'",
    "reference": "'latest'",
    "digest": "x'01' || zeroblob(32)",
    "target": "'x'",
    "detail": "'x'",
    "id": "id + 1000",
}
TAMPERING = {
    **{f"an event's {name}": (f"UPDATE event SET {name} = {to} WHERE id = 4",) for name, to in COLUMNS.items()},  # noqa: S608  the table above
    "an instant that is none": ("UPDATE event SET at = 'noon' WHERE id = 4",),
    "a digest that is none": ("UPDATE event SET digest = x'ff' WHERE id = 4",),
    "an event removed": ("DELETE FROM event WHERE id = 4",),
    "all events of a seal removed": ("DELETE FROM event WHERE seal_id = 2",),
    "removed as if they were old": (
        "DELETE FROM event WHERE seal_id = 2",
        "UPDATE seal SET emptied_at = made_at + 1 WHERE id = 2",
    ),
    "an event added": ("INSERT INTO event (at, action, principal_id, repository, seal_id) VALUES (1, 'x', 1, '', 2)",),
    "two events in the other order": (
        "UPDATE event SET id = 100 WHERE id = 4",
        "UPDATE event SET id = 4 WHERE id = 5",
        "UPDATE event SET id = 5 WHERE id = 100",
    ),
    "an event taken out of its seal": ("UPDATE event SET seal_id = NULL WHERE id = 4",),
    "an event of another seal's": ("UPDATE event SET seal_id = 2 WHERE id = 6",),
    "a seal's count": ("UPDATE seal SET events = 1 WHERE id = 2",),
    "a seal's instant": ("UPDATE seal SET made_at = made_at - 1 WHERE id = 2",),
    "a seal's hash": ("UPDATE seal SET hash = zeroblob(32) WHERE id = 2",),
    "a seal's hash of events": ("UPDATE seal SET events_hash = zeroblob(32) WHERE id = 2",),
    "a seal removed with its events": ("DELETE FROM event WHERE seal_id = 2", "DELETE FROM seal WHERE id = 2"),
    "seals in the other order": ("UPDATE seal SET id = 9 WHERE id = 2",),
}


@pytest.mark.parametrize("how", TAMPERING)
def test_whoever_tampers_is_found(chain: Log, how: str) -> None:
    for statement in TAMPERING[how]:
        chain.sql(statement)
    verified = chain.verify()
    assert verified.flaw is not None
    # What lies before it is not doubted; what cannot be read, or has gone, is told of at one of its neighbours.
    assert verified.flaw.seal in {1, 2, 3}
    assert verified.seals <= 2


def test_the_flaw_tells_the_seal_and_how_many_events_differ(chain: Log) -> None:
    chain.sql("DELETE FROM event WHERE id = 5")
    flaw = chain.verify().flaw
    assert flaw is not None
    assert (flaw.seal, flaw.reason) == (2, "it sealed 2 events, and 1 are there")


def test_the_first_seals_cannot_be_taken_away(chain: Log) -> None:
    chain.sql("DELETE FROM event WHERE seal_id = 1")
    chain.sql("DELETE FROM seal WHERE id = 1")
    flaw = chain.verify().flaw
    assert flaw is not None
    assert (flaw.seal, flaw.reason) == (2, "it does not follow the seal before it")


def test_who_hashes_a_seal_again_has_broken_the_next(chain: Log) -> None:
    chain.sql("UPDATE event SET target = 'x' WHERE id = 4")
    first, former, _ = chain.house.metadata.observe(lambda tx: tx.seals.page(0, 3))
    events = chain.house.metadata.observe(lambda tx: tx.events.of(2, 2))
    forged = Seal.over(first.hash, former.made, [line_of(each) for each in events])
    chain.sql("UPDATE seal SET hash = ?, events_hash = ? WHERE id = 2", forged.hash, forged.events_hash)
    flaw = chain.verify().flaw
    assert flaw is not None
    assert (flaw.seal, flaw.reason) == (3, "it does not follow the seal before it")


def test_an_event_that_names_no_seal_of_ours_is_found(chain: Log) -> None:
    chain.sql("UPDATE event SET seal_id = 77 WHERE id = 9")
    flaw = chain.verify().flaw
    assert flaw is not None
    assert flaw.reason == "1 events name a seal that is not there"


def test_an_end_that_was_cut_off_is_seen_by_who_noted_the_head(chain: Log) -> None:
    noted = chain.verify().head
    assert chain.verify(noted=noted).holds
    chain.sql("DELETE FROM event WHERE seal_id = 3")
    chain.sql("DELETE FROM seal WHERE id = 3")
    assert chain.verify().holds
    cut = chain.verify(noted=noted)
    assert cut.flaw is None
    assert not cut.has_noted
    assert not cut.holds


def test_what_is_old_is_removed_and_the_chain_holds_over_it(chain: Log) -> None:
    chain.clock.turn(KEEP)
    chain.write("j")
    assert chain.seal() == Sealed(2, 8)
    assert chain.seal() == Sealed()
    verified = chain.verify()
    assert verified.holds
    assert (verified.seals, verified.events, verified.emptied) == (4, 2, 3)
    # To whoever keeps for longer, they are gone too early.
    flaw = chain.verify(keep=KEEP + DAY).flaw
    assert flaw is not None
    assert (flaw.seal, flaw.reason) == (1, "its 3 events were removed before audit_keep had passed")
    assert chain.verify(keep=timedelta(0)).flaw == flaw
    # Nor can a seal be made to look old that is not.
    chain.sql("UPDATE seal SET made_at = made_at - 86400000000 WHERE id = 2")
    flaw = chain.verify(keep=KEEP + DAY / 2).flaw
    assert flaw is not None
