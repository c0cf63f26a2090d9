"""What every database promises of grants (registry/core/nouns/people.py, `Grants`)."""

from __future__ import annotations

from dataclasses import replace

from registry.core.patterns import Pattern
from registry.core.rights import Grant
from tests.contracts.conftest import Worker
from tests.contracts.people import People


def test_a_grant_is_found_as_it_was_given(people: People) -> None:
    alice = people.add("alice")
    uuid = people.put(alice, "team/**", "pull", "push")
    given = people.grant(uuid)
    assert given is not None
    assert given.grant == Grant("alice", Pattern("team/**"), ("pull", "push"), denies=False, uuid=uuid)
    assert (given.by, given.version) == ("admin", 1)
    assert people.metadata.observe(lambda tx: tx.grants.on(alice, Pattern("team/**"), denies=False)) == given
    assert people.metadata.observe(lambda tx: tx.grants.on(alice, Pattern("team/**"), denies=True)) is None
    assert people.metadata.observe(lambda tx: tx.grants.on(alice, Pattern("team/*"), denies=False)) is None


def test_a_grant_on_the_same_pattern_takes_the_place_of_the_former(people: People) -> None:
    alice = people.add("alice")
    uuid = people.put(alice, "team/app", "pull")
    denial = people.put(alice, "team/app", "delete", denies=True)
    assert people.put(alice, "team/app", "push") == uuid != denial
    changed, denied = people.grant(uuid), people.grant(denial)
    assert changed is not None
    assert denied is not None
    assert (changed.grant.actions, changed.version) == (("push",), 2)
    assert (denied.grant.actions, denied.version, denied.grant.denies) == (("delete",), 1, True)


def test_a_grant_is_taken_back_once(people: People) -> None:
    uuid = people.put(people.add("alice"), "team/app", "pull")
    assert [people.metadata.transact(lambda tx: tx.grants.remove(uuid)) for _ in range(2)] == [True, False]
    assert people.grant(uuid) is None


def test_pages_hold_each_grant_once(people: People) -> None:
    alice, bob = people.add("alice"), people.add("bob")
    given = {people.put(alice, f"team/{number}", "pull") for number in range(5)}
    others = {people.put(bob, f"team/{number}", "pull") for number in range(2)}
    found, last = list[str](), ""
    while page := people.page(last, 2):
        found += page
        last = page[-1]
    assert found == sorted(given | others)
    assert {each.grant.uuid for each in people.metadata.observe(lambda tx: tx.grants.page("", 9, alice))} == given


def test_what_concerns_somebody_is_granted_to_it_to_its_groups_and_to_everybody(people: People, worker: Worker) -> None:
    alice, bob = people.add("alice"), people.add("bob")
    devs, ops = people.add("@devs"), people.add("@ops", is_admin=True)
    anyone = people.find("anyone")
    assert anyone is not None
    for source in ("local", "ldap"):
        people.join(devs, alice, source)
    uuids = [people.put(each, "team/**", "pull") for each in (alice, devs, anyone)]
    for other in (bob, ops):
        people.put(other, "team/**", "pull")
    for rights in (
        people.metadata.observe(lambda tx: tx.grants.concerning(alice.id)),
        worker.ask(lambda reader: reader.rights(alice.id)),
    ):
        # Once, however many sources say that it is in the group.
        assert [each.uuid for each in rights.grants] == uuids
        assert [each.subject for each in rights.grants] == ["alice", "@devs", "anyone"]
        assert not rights.is_admin
    people.join(ops, alice)
    assert worker.ask(lambda reader: reader.rights(alice.id)).is_admin
    assert [each.subject for each in worker.ask(lambda reader: reader.rights(anyone.id)).grants] == ["anyone"]


def test_a_disabled_group_gives_and_denies_its_members_nothing(people: People, worker: Worker) -> None:
    alice, devs = people.add("alice"), people.add("@devs", is_admin=True)
    people.join(devs, alice)
    people.put(devs, "team/**", "pull")
    people.put(devs, "team/secret", "pull", denies=True)
    now = people.metadata.observe(lambda tx: tx.now)
    disabled = people.metadata.transact(lambda tx: tx.people.change(replace(devs, disabled=now)))
    assert disabled is not None
    read = worker.ask(lambda reader: reader.rights(alice.id))
    assert (read.grants, read.is_admin) == ((), False)
    people.metadata.transact(lambda tx: tx.people.change(replace(disabled, disabled=None)))
    read = worker.ask(lambda reader: reader.rights(alice.id))
    assert (len(read.grants), read.is_admin) == (2, True)
