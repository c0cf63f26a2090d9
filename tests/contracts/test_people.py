"""What every database promises of users, groups and robots (registry/core/nouns/people.py, `People`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from registry.core.facts import CredentialKind, Principal, PrincipalKind
from registry.core.patterns import Pattern
from registry.core.ports import Transaction
from tests.contracts.conftest import Worker
from tests.contracts.people import People

DAY = timedelta(days=1)


def add(kind: PrincipalKind, name: str, tx: Transaction) -> Principal | None:
    return tx.people.add(kind, name)


def change(wanted: Principal, tx: Transaction) -> Principal | None:
    return tx.people.change(wanted)


# Names


@pytest.mark.parametrize("name", ["alice", "@devs", "team+ci"])
def test_a_name_is_taken_once(people: People, name: str) -> None:
    added = people.add(name, description="first")
    assert people.find(name) == added
    assert (added.name, added.description, added.version, added.disabled) == (name, "first", 1, None)
    for kind in PrincipalKind:
        assert people.metadata.transact(partial(add, kind, name)) is None
    assert people.find(name) == added


def test_a_name_is_found_as_it_is_written(people: People) -> None:
    people.add("alice")
    assert [people.find(each) for each in ("(anonymous)", "(open)")] == [None] * 2
    assert [people.find(each) for each in ("Alice", "alic", "alice ", "@alice", "", "ali%", "a_ice")] == [None] * 7


def test_everybody_is_found_under_the_name_that_grants_use(people: People) -> None:
    anyone = people.find("anyone")
    assert anyone is not None
    assert (anyone.kind, anyone.name) == (PrincipalKind.ANONYMOUS, "anyone")


def test_a_removed_one_leaves_its_name_and_nothing_else(people: People) -> None:
    alice, devs = people.add("alice", is_admin=True, source="ldap", external_id="7"), people.add("@devs")
    people.join(devs, alice)
    grant = people.put(alice, "team/**", "pull")
    people.give(alice)
    people.set_password(alice)
    people.metadata.transact(lambda tx: tx.people.remove(alice))
    assert people.find("alice") is None
    assert people.metadata.observe(lambda tx: tx.people.find_external("ldap", "7")) is None
    assert people.metadata.observe(lambda tx: tx.people.members(devs.id)) == []
    assert people.grant(grant) is None
    assert people.credentials(alice) == []
    again = people.add("alice", source="ldap", external_id="7")
    assert (again.id != alice.id, again.is_admin, people.credentials(again)) == (True, False, [])
    assert people.metadata.observe(lambda tx: tx.people.page(PrincipalKind.USER, "", 9, "alice")) == [again]


def test_a_removed_group_leaves_its_members_without_its_grants(people: People) -> None:
    alice, devs = people.add("alice"), people.add("@devs", is_admin=True)
    people.join(devs, alice)
    people.put(devs, "team/**", "pull")
    people.metadata.transact(lambda tx: tx.people.remove(devs))
    rights = people.metadata.observe(lambda tx: tx.grants.concerning(alice.id))
    assert (rights.grants, rights.is_admin) == ((), False)
    assert people.metadata.observe(lambda tx: tx.people.groups_of(alice.id)) == []


# Changes


def test_of_two_changes_of_one_version_the_second_changes_nothing(people: People) -> None:
    alice = people.add("alice")
    first = people.change(replace(alice, description="first"))
    assert first is not None
    assert (first.description, first.version) == ("first", 2)
    assert people.change(replace(alice, description="second")) is None
    assert people.find("alice") == first


def test_a_change_keeps_what_can_be_changed_and_nothing_else(people: People) -> None:
    robot = people.add("team+ci", source="local")
    now = people.metadata.observe(lambda tx: tx.now)
    wanted = replace(robot, is_admin=True, description="new", disabled=now, expires=now + DAY)
    meddled = replace(wanted, name="other", source="ldap", external_id="9", uuid="other", kind=PrincipalKind.USER)
    changed = people.metadata.transact(lambda tx: tx.people.change(meddled))
    assert changed == replace(wanted, version=2)


def test_everybody_keeps_its_name_in_a_change(people: People) -> None:
    anyone = people.find("anyone")
    assert anyone is not None
    assert people.change(replace(anyone, description="all")) is not None
    # Under this name every start looks for it.
    assert people.metadata.observe(lambda tx: tx.accounts.find("(anonymous)")) is not None


# Groups


def test_a_membership_is_new_once_for_each_source(people: People) -> None:
    alice, devs = people.add("alice"), people.add("@devs")
    assert [people.join(devs, alice, source) for source in ("local", "local", "ldap")] == [True, False, True]
    assert people.metadata.observe(lambda tx: tx.people.groups_of(alice.id)) == ["@devs"]
    assert people.metadata.observe(lambda tx: tx.people.memberships(alice.id)) == [
        ("@devs", "ldap"),
        ("@devs", "local"),
    ]
    left = [people.metadata.transact(lambda tx: tx.people.leave(devs.id, alice.id)) for _ in range(2)]
    assert left == [True, False]
    # As far as the other source says, it is in it still.
    assert people.metadata.observe(lambda tx: tx.people.groups_of(alice.id)) == ["@devs"]


def test_the_groups_of_one_source_are_replaced_and_those_of_others_stay(people: People) -> None:
    alice, bob = people.add("alice"), people.add("bob")
    one, two, three = (people.add(name) for name in ("@one", "@two", "@three"))
    people.join(one, alice)
    for source, groups in (("ldap", [one, two]), ("oidc", [two]), ("ldap", [three, three])):
        people.regroup(alice, source, *groups)
    people.regroup(bob, "ldap", one)
    assert people.metadata.observe(lambda tx: tx.people.memberships(alice.id)) == [
        ("@one", "local"), ("@three", "ldap"), ("@two", "oidc"),
    ]  # fmt: skip
    people.regroup(alice, "ldap")
    assert people.metadata.observe(lambda tx: tx.people.memberships(alice.id)) == [("@one", "local"), ("@two", "oidc")]
    assert people.metadata.observe(lambda tx: tx.people.groups_of(bob.id)) == ["@one"]


# Lists


def test_a_page_begins_after_a_name_and_holds_one_kind(people: People) -> None:
    for name in ("bob", "alice", "@devs", "team+ci", "carol"):
        people.add(name)
    users = people.metadata.observe(lambda tx: tx.people.page(PrincipalKind.USER, "", 9))
    assert [each.name for each in users] == ["admin", "alice", "bob", "carol"]
    page = people.metadata.observe(lambda tx: tx.people.page(PrincipalKind.USER, "alice", 1))
    assert [each.name for each in page] == ["bob"]
    assert people.metadata.observe(lambda tx: tx.people.page(PrincipalKind.USER, "carol", 9)) == []


@pytest.mark.parametrize(
    ("words", "found"), [("li", ["alice"]), ("nigh", ["bob"]), ("%", []), ("_", []), ("", ["admin", "alice", "bob"])]
)
def test_a_page_holds_those_whose_name_or_description_has_the_words(
    people: People, words: str, found: list[str]
) -> None:
    people.add("alice", description="by day")
    people.add("bob", description="by night")
    page = people.metadata.observe(lambda tx: tx.people.page(PrincipalKind.USER, "", 9, words))
    assert [each.name for each in page] == found


# Administrators


def test_another_administrator_is_one_by_itself_for_good_who_can_sign_in(people: People) -> None:
    def others() -> bool:
        return people.metadata.transact(lambda tx: tx.people.other_administrators(people.admin.principal))

    now = people.metadata.observe(lambda tx: tx.now)
    group, member = people.add("@root", is_admin=True), people.add("member")
    people.set_password(member)
    people.join(group, member)
    assert not others()
    people.add("locked-out", is_admin=True)
    people.give(people.add("browsing", is_admin=True), CredentialKind.SESSION)
    for name, expires in (("gone", now - DAY), ("going", now + DAY)):
        temporary = people.add(name, is_admin=True, expires=expires)
        people.set_password(temporary)
    robot = people.add("team+root", is_admin=True)
    people.give(robot)
    assert not others()
    elsewhere = people.add("elsewhere", is_admin=True, source="ldap", external_id="1")
    assert others()
    disabled = people.change(replace(elsewhere, disabled=now))
    assert disabled is not None
    assert not others()
    root = people.add("root", is_admin=True)
    people.set_password(root)
    assert others()


# Ends


def test_a_robot_is_told_of_once_before_each_end_that_it_is_given(people: People) -> None:
    now = people.metadata.observe(lambda tx: tx.now)

    def expiring() -> list[str]:
        return [each.name for each in people.metadata.transact(lambda tx: tx.people.expiring(now + 2 * DAY))]

    soon = people.add("team+soon", expires=now + DAY)
    people.add("team+later", expires=now + 3 * DAY)
    people.add("team+never")
    people.add("somebody", expires=now + DAY)
    assert expiring() == ["team+soon"]
    people.metadata.transact(lambda tx: tx.people.warned(soon.id))
    assert expiring() == []
    described = people.change(replace(soon, description="of the old pipeline"))
    assert described is not None
    assert expiring() == []
    extended = people.change(replace(described, expires=now + 2 * DAY))
    assert extended is not None
    assert expiring() == ["team+soon"]
    people.change(replace(extended, disabled=now))
    assert expiring() == []


# The generation


def test_what_decides_rights_moves_the_generation_and_nothing_else_does(people: People, worker: Worker) -> None:
    metadata, now = people.metadata, people.metadata.observe(lambda tx: tx.now)
    alice, devs, ops = people.add("alice"), people.add("@devs"), people.add("@ops")
    grant = people.put(devs, "team/**", "pull")

    def moves(work: Callable[[Transaction], object]) -> bool:
        before = worker.ask(lambda reader: reader.generation())
        metadata.transact(work)
        return bool(worker.ask(lambda reader: reader.generation()) != before)

    assert not moves(lambda tx: tx.people.add(PrincipalKind.USER, "bob"))
    assert moves(lambda tx: tx.people.join(devs.id, alice.id))
    assert not moves(lambda tx: tx.people.join(devs.id, alice.id))
    assert not moves(lambda tx: tx.people.leave(ops.id, alice.id))
    assert moves(lambda tx: tx.people.leave(devs.id, alice.id))
    assert moves(lambda tx: tx.people.replace_groups(alice.id, "ldap", [devs.id, ops.id]))
    assert not moves(lambda tx: tx.people.replace_groups(alice.id, "ldap", [ops.id, devs.id]))
    assert moves(lambda tx: tx.people.replace_groups(alice.id, "ldap", [ops.id]))
    assert not moves(lambda tx: tx.people.change(replace(devs, description="developers")))
    former = replace(devs, description="developers", version=2)
    for wanted in (
        replace(former, is_admin=True),
        replace(former, is_admin=True, disabled=now, version=3),
        replace(former, is_admin=True, disabled=now, expires=now + DAY, version=4),
    ):
        assert moves(partial(change, wanted))
        # It is not as it was.
        assert not moves(partial(change, wanted))
    assert moves(lambda tx: tx.grants.put(alice, Pattern("team/**"), ("pull",), people.admin, denies=True))
    assert not moves(lambda tx: tx.grants.remove("none"))
    assert moves(lambda tx: tx.grants.remove(grant))
    # Credentials are asked about with every request.
    assert not moves(lambda tx: tx.credentials.set_password(alice.id, "hash"))
    assert not moves(lambda tx: tx.credentials.revoke_all(alice.id, [CredentialKind.PASSWORD]))
    assert moves(lambda tx: tx.people.remove(alice))
