"""Who is let in by the word of another, over every database: once, however many workers hear of it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from registry.core.admission import AdmissionService
from registry.core.facts import ExternalIdentity
from registry.core.people import PeopleService
from registry.core.ports import Metadata

ALICE = ExternalIdentity("company", "7", "alice", frozenset({"@devs", "@ops"}), is_admin=False)


def test_a_first_sign_in_on_several_workers_at_once_makes_one_user(metadata: Metadata) -> None:
    admission = AdmissionService(metadata)
    with ThreadPoolExecutor(4) as workers:
        users = list(workers.map(lambda _: admission.admit(ALICE), range(8)))
    assert {user.id for user in users} == {users[0].id}
    assert PeopleService(metadata).groups_of("alice") == ["@devs", "@ops"]


def test_groups_are_replaced_and_a_directorys_password_is_one_credential(metadata: Metadata) -> None:
    admission = AdmissionService(metadata)
    credential = admission.admit_by_password(ALICE)
    assert admission.admit_by_password(replace(ALICE, groups=frozenset({"@new"}), is_admin=True)) == credential
    people = PeopleService(metadata)
    assert people.groups_of("alice") == ["@new"]
    assert people.get("alice").is_admin
