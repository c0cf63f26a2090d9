"""`core.admission`: somebody whom a source vouches for is a user here, and nobody else's name or groups are touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from registry.core.admission import LASTING, AdmissionService
from registry.core.facts import CredentialKind, ExternalIdentity, Principal
from registry.core.people import PeopleService
from registry.core.refusals import NotAdmitted
from tests.unit.core.conftest import Clock
from tests.unit.core.house import House
from tests.unit.metadata.databases import quick_folder

ALICE = ExternalIdentity("company", "7", "alice", frozenset({"@devs", "@ops"}), is_admin=False)


@pytest.fixture
def house() -> Iterator[House]:
    with quick_folder() as folder, closing(House(folder)) as house:
        yield house


@pytest.fixture
def people(house: House) -> PeopleService:
    return PeopleService(house.metadata)


def admitted(house: House, identity: ExternalIdentity = ALICE) -> Principal:
    return AdmissionService(house.metadata).admit(identity, "192.0.2.7")


def refused(house: House, identity: ExternalIdentity) -> str:
    with pytest.raises(NotAdmitted) as error:
        admitted(house, identity)
    return str(error.value.detail["reason"])


def events(house: House) -> list[tuple[str, str, str]]:
    return [
        (action, target, detail)
        for action, target, detail in house.rows("SELECT action, target, detail FROM event ORDER BY id")
    ]


def test_who_comes_the_first_time_becomes_a_user_of_that_name(house: House, people: PeopleService) -> None:
    user = admitted(house)
    assert (user.name, user.source, user.external_id, user.is_admin) == ("alice", "company", "7", False)
    assert people.get("alice") == user
    assert people.groups_of("alice") == ["@devs", "@ops"]
    assert {people.get(each).source for each in ("@devs", "@ops")} == {"company"}
    assert house.rows("SELECT DISTINCT address FROM event") == [("192.0.2.7",)]
    assert ("principal.add", "alice", "by company") in events(house)
    assert ("group.join", "@devs", "alice, says company") in events(house)


def test_who_comes_again_is_the_same_user_and_nothing_happens(house: House) -> None:
    user = admitted(house)
    told = events(house)
    assert admitted(house) == user
    assert events(house) == told


def test_who_is_renamed_there_keeps_the_name_here(house: House) -> None:
    user = admitted(house)
    assert admitted(house, replace(ALICE, name="alicia")) == user


@pytest.mark.parametrize("name", ["admin", "bob"])
def test_a_local_users_name_is_never_taken_over(house: House, people: PeopleService, name: str) -> None:
    people.add_user("bob", house.admin)
    former = people.get(name)
    assert refused(house, replace(ALICE, name=name, is_admin=True)) == "somebody else has this name here"
    assert people.get(name) == former
    assert people.groups_of(name) == []


def test_another_sources_user_is_never_taken_over(house: House, people: PeopleService) -> None:
    admitted(house)
    assert "somebody else" in refused(house, replace(ALICE, source="directory"))
    assert "somebody else" in refused(house, replace(ALICE, subject="8"))
    assert people.get("alice").external_id == "7"


@pytest.mark.parametrize("name", ["anyone", "(open)", "@devs", "team+ci", "", "Alice", "a" * 65, "local"])
def test_a_name_that_no_user_can_have_is_refused(house: House, name: str) -> None:
    assert refused(house, replace(ALICE, name=name))
    assert house.rows("SELECT count(*) FROM principal WHERE source != 'local'") == [(0,)]


def test_a_refusal_leaves_no_group_behind(house: House) -> None:
    refused(house, replace(ALICE, name="admin"))
    assert house.rows("SELECT name FROM principal WHERE kind = 'group'") == []


def test_groups_are_those_of_this_sign_in_and_not_of_the_last(house: House, people: PeopleService) -> None:
    """CVE-2025-23208."""
    admitted(house)
    admitted(house, replace(ALICE, groups=frozenset({"@ops", "@new"})))
    assert people.groups_of("alice") == ["@new", "@ops"]
    admitted(house, replace(ALICE, groups=frozenset()))
    assert people.groups_of("alice") == []
    assert ("group.leave", "@devs", "alice, says company") in events(house)


def test_what_others_say_of_groups_stays(house: House, people: PeopleService) -> None:
    people.add_group("@friends", house.admin)
    admitted(house)
    people.join("@friends", "alice", house.admin)
    people.join("@devs", "alice", house.admin)
    admitted(house, replace(ALICE, groups=frozenset()))
    assert people.groups_of("alice") == ["@devs", "@friends"]


def test_a_group_that_was_made_here_for_grants_takes_in_whom_a_source_names(
    house: House, people: PeopleService
) -> None:
    people.add_group("@devs", house.admin)
    admitted(house)
    assert people.members("@devs") == [("alice", "company")]
    assert people.get("@devs").source == "local"


def test_nobody_joins_a_group_that_administers_by_the_word_of_another_source(
    house: House, people: PeopleService
) -> None:
    people.add_group("@devs", house.admin, is_admin=True)
    admitted(house)
    assert people.members("@devs") == []
    assert people.groups_of("alice") == ["@ops"]


def test_a_group_of_the_source_that_was_made_to_administer_takes_in_whom_it_names(
    house: House, people: PeopleService
) -> None:
    admitted(house)
    people.change("@devs", house.admin, lambda group, _: replace(group, is_admin=True))
    admitted(house, replace(ALICE, subject="8", name="bob"))
    assert people.members("@devs") == [("alice", "company"), ("bob", "company")]


def test_whether_somebody_administers_is_what_the_source_says_now(house: House) -> None:
    assert admitted(house, replace(ALICE, is_admin=True)).is_admin
    assert not admitted(house).is_admin
    assert ("principal.change", "alice", "is_admin: False, says company") in events(house)


def test_who_was_disabled_here_stays_so(house: House, people: PeopleService) -> None:
    admitted(house)
    people.disable("alice", house.admin)
    assert refused(house, replace(ALICE, groups=frozenset())) == "the account is disabled here"
    assert people.get("alice").disabled is not None
    assert people.groups_of("alice") == ["@devs", "@ops"]


def test_who_was_removed_here_begins_anew(house: House, people: PeopleService) -> None:
    former = admitted(house)
    people.remove("alice", house.admin)
    assert admitted(house).id != former.id


def test_rights_are_looked_at_anew_when_groups_change_and_only_then(house: House) -> None:
    def generation() -> int:
        return int(house.rows("SELECT coalesce(max(value), 0) FROM generation WHERE name = 'grants'")[0][0])

    admitted(house)
    first = generation()
    admitted(house)
    assert generation() == first
    admitted(house, replace(ALICE, groups=frozenset({"@devs"})))
    assert generation() > first


def test_a_directorys_password_stands_for_an_hour_and_is_one_credential(house: House, clock: Clock) -> None:
    admission = AdmissionService(house.metadata)
    credential = admission.admit_by_password(ALICE)
    user = admitted(house)
    (secret,) = house.metadata.observe(lambda tx: tx.credentials.of(user.id))
    assert (secret.id, secret.kind, secret.label) == (credential, CredentialKind.EXTERNAL, "company")
    clock.turn(LASTING - timedelta(seconds=1))
    assert admission.admit_by_password(ALICE) == credential
    clock.turn(timedelta(seconds=2))
    assert house.metadata.observe(lambda tx: tx.credentials.of(user.id))
    clock.turn(LASTING)
    assert not house.metadata.observe(lambda tx: tx.credentials.of(user.id))
    assert admission.admit_by_password(ALICE) == credential


def test_one_that_was_taken_back_does_not_come_back(house: House) -> None:
    admission = AdmissionService(house.metadata)
    credential = admission.admit_by_password(ALICE)
    house.metadata.transact(lambda tx: tx.credentials.revoke(credential))
    assert admission.admit_by_password(ALICE) != credential
