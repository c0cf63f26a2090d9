"""What every database promises of credentials, and of the lookups that recognise a caller by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from registry.core.facts import CredentialKind, Principal
from registry.core.ports import Transaction
from tests.contracts.conftest import Worker
from tests.contracts.people import People

DAY = timedelta(days=1)
TOKEN, REFRESH, SESSION = CredentialKind.TOKEN, CredentialKind.REFRESH, CredentialKind.SESSION
PASSWORD = CredentialKind.PASSWORD


@pytest.fixture
def alice(people: People) -> Principal:
    return people.add("alice")


def credential(worker: Worker, which: int) -> Any:
    return worker.ask(lambda reader: reader.credential(which))


def test_a_credential_is_shown_without_its_secret(people: People, alice: Principal) -> None:
    given = people.give(
        alice, secret="hash of a secret", label="laptop", hint="entp_abcd", limits="pull team/**", lives=DAY,
        made_from="192.0.2.7",
    )  # fmt: skip
    assert people.metadata.observe(lambda tx: tx.credentials.find(alice.id, given.uuid)) == given
    assert people.metadata.observe(lambda tx: tx.credentials.hold(given.id)) == given
    assert people.metadata.observe(lambda tx: tx.credentials.of(alice.id)) == [given]
    assert "hash of a secret" not in repr(given)
    assert (given.label, given.hint, given.limits, given.made_from) == (
        "laptop", "entp_abcd", "pull team/**", "192.0.2.7",
    )  # fmt: skip
    assert given.expires is not None
    assert given.expires - given.created == DAY
    assert given.used is None


def test_a_credential_is_its_owners_alone(people: People, alice: Principal) -> None:
    given, bob = people.give(alice), people.add("bob")
    assert people.metadata.observe(lambda tx: tx.credentials.find(bob.id, given.uuid)) is None
    assert people.credentials(bob) == []
    people.metadata.transact(lambda tx: tx.credentials.revoke_all(bob.id, list(CredentialKind)))
    assert people.credentials(alice) == [given.id]


def test_the_newest_comes_first_and_those_of_a_kind_are_counted(people: People, alice: Principal) -> None:
    one, two, three = people.give(alice), people.give(alice, SESSION), people.give(alice)
    people.give(alice, lives=-DAY)
    assert people.credentials(alice) == [three.id, two.id, one.id]
    assert [people.count(alice, kind) for kind in (TOKEN, REFRESH)] == [2, 0]


# Recognised


def test_what_we_made_is_found_by_its_hash_and_a_password_is_not(
    people: People, worker: Worker, alice: Principal
) -> None:
    given = people.give(alice, secret="hash of ours", limits="pull team/**")
    password = people.set_password(alice, "hash of a password")
    found = worker.ask(lambda reader: reader.hashed("hash of ours"))
    assert (found.id, found.kind, found.caller.principal, found.caller.name) == (given.id, TOKEN, alice.id, "alice")
    assert [str(each.pattern) for each in found.caller.limits.grants] == ["team/**"]
    assert worker.ask(lambda reader: reader.hashed("hash of a password")) is None
    assert worker.ask(lambda reader: reader.hashed("")) is None
    assert worker.ask(lambda reader: reader.password("alice")).id == password
    assert worker.ask(lambda reader: reader.password("bob")) is None


TAKEN_AWAY: dict[str, Callable[[Transaction, Principal, int], object]] = {
    "revoked": lambda tx, _, credential: tx.credentials.revoke(credential),
    "all of its kind": lambda tx, who, _: tx.credentials.revoke_all(who.id, [TOKEN]),
    "disabled": lambda tx, who, _: tx.people.change(replace(who, disabled=tx.now)),
    "expired": lambda tx, who, _: tx.people.change(replace(who, expires=tx.now - DAY)),
    "removed": lambda tx, who, _: tx.people.remove(who),
}


@pytest.mark.parametrize("take", TAKEN_AWAY.values(), ids=TAKEN_AWAY)
def test_who_lost_it_is_not_recognised_by_it_any_more(
    people: People, worker: Worker, alice: Principal, take: Callable[[Transaction, Principal, int], object]
) -> None:
    given = people.give(alice, secret="hash of ours")
    assert worker.ask(lambda reader: reader.credential(given.id)) is not None
    people.metadata.transact(lambda tx: take(tx, alice, given.id))
    assert worker.ask(lambda reader: reader.credential(given.id)) is None
    assert worker.ask(lambda reader: reader.hashed("hash of ours")) is None


def test_an_end_is_the_earlier_one_of_the_credentials_and_its_principals(people: People, worker: Worker) -> None:
    now = people.metadata.observe(lambda tx: tx.now)
    robot = people.add("team+ci", expires=now + DAY)
    for lives, ends in ((None, robot.expires), (timedelta(hours=1), None), (2 * DAY, robot.expires)):
        given = people.give(robot, lives=lives)
        found = credential(worker, given.id)
        assert found.expires == (ends or given.expires)
    assert credential(worker, people.give(robot, lives=-DAY).id) is None


# Taken back


def test_what_was_given_out_for_a_credential_goes_with_it(people: People, alice: Principal) -> None:
    shown, other = people.give(alice), people.give(alice)
    people.give(alice, REFRESH, parent=shown.id)
    kept = people.give(alice, REFRESH, parent=other.id)
    people.metadata.transact(lambda tx: tx.credentials.revoke(shown.id))
    assert people.credentials(alice) == [kept.id, other.id]
    assert people.metadata.observe(lambda tx: tx.credentials.find(alice.id, shown.uuid)) is None


def test_all_of_some_kinds_go_with_what_was_given_out_for_them(people: People, alice: Principal) -> None:
    session, token = people.give(alice, SESSION), people.give(alice)
    people.give(alice, REFRESH, parent=session.id)
    people.give(alice, SESSION)
    assert people.metadata.transact(lambda tx: tx.credentials.revoke_all(alice.id, [SESSION])) == 2
    assert people.credentials(alice) == [token.id]
    assert people.metadata.transact(lambda tx: tx.credentials.revoke_all(alice.id, [SESSION, PASSWORD])) == 0


def test_the_one_that_was_used_longest_ago_goes_first(people: People, alice: Principal) -> None:
    one, two, three = (people.give(alice, REFRESH) for _ in range(3))
    token = people.give(alice)
    people.metadata.transact(lambda tx: tx.credentials.note_use([(one.id, tx.now + DAY), (token.id, tx.now - DAY)]))
    for left in ([token.id, three.id, one.id], [token.id, one.id], [token.id], [token.id]):
        people.metadata.transact(lambda tx: tx.credentials.revoke_stalest(alice.id, REFRESH))
        assert people.credentials(alice) == left
    assert two.id not in people.credentials(alice)


# Passwords


def test_a_new_password_is_another_credential_and_ends_the_former_with_its_children(
    people: People, worker: Worker, alice: Principal
) -> None:
    first, token = people.set_password(alice, "first"), people.give(alice)
    people.give(alice, REFRESH, parent=first)
    second = people.set_password(alice, "second")
    # A bearer token names the credential that it was issued for: so it ends with it.
    assert worker.ask(lambda reader: reader.credential(first)) is None
    assert people.credentials(alice) == [second, token.id]
    assert worker.ask(lambda reader: reader.password("alice")).secret == "second"


# Uses


def test_the_latest_use_is_kept_whatever_is_told_last(people: People, alice: Principal) -> None:
    given, other = people.give(alice), people.give(alice)
    now = people.metadata.observe(lambda tx: tx.now)
    for used in (now, now + DAY, now - DAY):
        people.note_use(given.id, used)
    people.metadata.transact(lambda tx, at=used: tx.credentials.note_use([(given.id, at), (0, at)]))  # type: ignore[misc] # a lambda with a default
    people.metadata.transact(lambda tx: tx.credentials.note_use([]))
    found = {each.id: each.used for each in people.metadata.observe(lambda tx: tx.credentials.of(alice.id))}
    assert found == {given.id: now + DAY, other.id: None}
