"""Several who change people, grants and credentials at once: as if one after the other, and nobody overruled unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count

import pytest

from registry.core.accounts import settle
from registry.core.credentials import CredentialService, Made
from registry.core.facts import Caller, CredentialKind, Principal
from registry.core.granting import GrantService
from registry.core.people import PeopleService
from registry.core.ports import Transaction
from registry.core.refusals import Changed, LastAdministrator, NameTaken, PrincipalUnknown
from registry.metadata.postgres import PostgresMetadata
from registry.oci.errors import RegistryError, Unauthorized
from tests.support.postgres import ask, postgres_server
from tests.support.together import together

ROUNDS = 8
HOUR = timedelta(hours=1)
_HASHES = count()


class Site:
    """One database, its administrator, and the rules of people over it."""

    def __init__(self, url: str, metadata: PostgresMetadata) -> None:
        self.url, self.metadata = url, metadata
        self.admin: Caller = settle(metadata, lambda: "hash")[0].admin
        self.people, self.grants = PeopleService(metadata), GrantService(metadata)
        self.credentials = CredentialService(metadata)

    def live(self, name: str, kind: CredentialKind) -> int:
        owner = self.people.get(name).id
        return self.metadata.observe(lambda tx: tx.credentials.count(owner, kind))

    def token(self, owner: int, parent: int | None = None) -> int:
        kind = CredentialKind.TOKEN if parent is None else CredentialKind.REFRESH
        made = Made(f"hash {next(_HASHES)}", "")
        return self.credentials.give(owner, kind, made, self.admin, lifetime=HOUR, parent=parent).id


@pytest.fixture
def site() -> Iterator[Site]:
    with postgres_server().database() as url, closing(PostgresMetadata(url, pool_size=4)) as metadata:
        yield Site(url, metadata)


def _disabled(former: Principal, now: datetime) -> Principal:
    return replace(former, disabled=now)


def _revoke(credential: int, tx: Transaction) -> None:
    tx.credentials.revoke(credential)


def _regroup(member: int, group: int, tx: Transaction) -> None:
    tx.people.replace_groups(member, "ldap", [group])


def refused(*works: Callable[[], object]) -> list[type[RegistryError] | None]:
    """What each is refused with, all begun at once; None for what succeeded."""

    def run(work: Callable[[], object]) -> type[RegistryError] | None:
        try:
            work()
        except RegistryError as error:
            return type(error)
        return None

    return together(*(partial(run, work) for work in works))


def test_a_name_that_several_want_is_given_to_one(site: Site) -> None:
    people = site.people
    for number in range(ROUNDS):
        name = f"same-{number}"
        for add in (people.add_user, people.add_group, partial(people.add_robot, "team")):
            answers = refused(*[partial(add, name, site.admin)] * 3)
            assert (answers.count(None), answers.count(NameTaken)) == (1, 2)


def test_of_two_changes_of_one_version_one_is_refused(site: Site) -> None:
    for number in range(ROUNDS):
        name = site.people.add_user(f"user-{number}", site.admin).name
        answers = refused(
            partial(site.people.change, name, site.admin, _disabled, version=1),
            partial(site.people.remove, name, site.admin, version=1),
        )
        assert answers.count(None) == 1
        assert set(answers) <= {None, Changed, PrincipalUnknown}


def test_changes_that_ask_for_no_version_follow_each_other(site: Site) -> None:
    for number in range(ROUNDS):
        name = site.people.add_user(f"user-{number}", site.admin).name
        assert refused(*[partial(site.people.disable, name, site.admin)] * 3) == [None] * 3
        assert site.people.get(name).version == 2


def test_a_grant_that_two_put_is_one_and_who_expected_none_is_told(site: Site) -> None:
    site.people.add_user("alice", site.admin)
    for number in range(ROUNDS):
        put = partial(site.grants.put, "alice", f"team/{number}", by=site.admin, version=0)
        assert set(refused(partial(put, actions=["pull"]), partial(put, actions=["push"]))) == {None, Changed}
    for number in range(ROUNDS):
        put = partial(site.grants.put, "alice", f"other/{number}", by=site.admin)
        assert refused(partial(put, actions=["pull"]), partial(put, actions=["push"])) == [None, None]
        given = site.grants.find("alice", f"other/{number}", denies=False)
        assert given is not None
        assert given.version == 2


def test_a_grant_that_was_changed_is_not_taken_back_as_what_it_was(site: Site) -> None:
    site.people.add_user("alice", site.admin)
    for number in range(ROUNDS):
        given = site.grants.put("alice", f"team/{number}", ["pull"], site.admin)
        put = partial(site.grants.put, "alice", f"team/{number}", ["push"], site.admin, version=1)
        remove = partial(site.grants.remove, given.grant.uuid, site.admin, version=1)
        assert set(refused(put, remove)) == {None, Changed}


def test_two_administrators_who_demote_each_other_leave_one(site: Site) -> None:
    for number in range(ROUNDS):
        other = site.people.add_user(f"root-{number}", site.admin, password="hash", is_admin=True).name
        answers = refused(
            partial(site.people.disable, other, site.admin), partial(site.people.disable, "admin", site.admin)
        )
        assert set(answers) == {None, LastAdministrator}
        site.people.enable("admin", site.admin)
        site.people.enable(other, site.admin)
        site.people.remove(other, site.admin)


def test_of_two_passwords_set_at_once_one_is_good(site: Site) -> None:
    for number in range(ROUNDS):
        name = site.people.add_user(f"user-{number}", site.admin).name
        for _ in range(2):
            works = [partial(site.people.set_password, name, f"hash {each}", site.admin) for each in range(3)]
            assert refused(*works) == [None] * 3
            assert site.live(name, CredentialKind.PASSWORD) == 1


def test_what_is_given_out_for_a_credential_never_outlives_it(site: Site) -> None:
    alice = site.people.add_user("alice", site.admin).id
    for _ in range(2 * ROUNDS):
        shown = site.token(alice)
        given = partial(site.token, alice, shown)
        revoke = partial(site.metadata.transact, partial(_revoke, shown))
        answers = refused(given, revoke, given)
        assert set(answers) <= {None, Unauthorized}
        assert site.live("alice", CredentialKind.REFRESH) == 0


def test_groups_that_two_sign_ins_bring_are_those_of_one_of_them(site: Site) -> None:
    alice = site.people.add_user("alice", site.admin).id
    groups = [site.people.add_group(name, site.admin) for name in ("one", "two")]
    for _ in range(2 * ROUNDS):
        together(*(partial(site.metadata.transact, partial(_regroup, alice, group.id)) for group in groups))
        assert len(site.people.groups_of("alice")) == 1


def test_a_robot_that_will_end_is_told_of_by_one(site: Site) -> None:
    for number in range(ROUNDS):
        site.people.add_robot("team", f"ci-{number}", site.admin, lifetime=HOUR)
        told = together(*[partial(site.people.warn_of_ends, site.admin)] * 3)
        assert sum(map(len, told)) == 1
    assert ask(site.url, "SELECT count(*) FROM event WHERE action = 'robot.expiring'") == [(ROUNDS,)]


def test_who_is_removed_keeps_nothing_that_was_given_meanwhile(site: Site) -> None:
    site.people.add_group("devs", site.admin)
    for number in range(ROUNDS):
        user = site.people.add_user(f"user-{number}", site.admin)
        answers = refused(
            partial(site.people.remove, user.name, site.admin),
            partial(site.grants.put, user.name, "team/**", ["pull"], site.admin),
            partial(site.people.join, "@devs", user.name, site.admin),
        )
        assert answers[0] is None
        assert set(answers) <= {None, PrincipalUnknown}
        for held in ('"grant" WHERE principal_id', "membership WHERE member_id"):
            assert ask(site.url, f"SELECT count(*) FROM {held} = %s", user.id) == [(0,)]  # noqa: S608  a table of ours
