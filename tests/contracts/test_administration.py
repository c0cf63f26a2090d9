"""What the administration API asks of every database: principals put whole, members and repositories by the page."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.core import granting
from registry.core.access import Access
from registry.core.administration import may_see
from registry.core.facts import Caller, CredentialKind, PrincipalKind
from registry.core.granting import GrantService
from registry.core.patterns import Pattern
from registry.core.people import PeopleService
from registry.core.people_put import Wanted, put
from registry.core.ports import Metadata, Transaction
from registry.core.refusals import Changed, LastAdministrator, Unfit
from registry.core.rights import Grant, Rights
from registry.core.searching import SearchService
from registry.oci.digest import Digest
from registry.oci.manifest import Manifest
from registry.oci.media_types import OCI_MANIFEST
from registry.oci.names import RepositoryName


@pytest.fixture
def admin(metadata: Metadata) -> Caller:
    return metadata.transact(lambda tx: tx.accounts.add("admin", "user", is_admin=True))


@pytest.fixture
def people(metadata: Metadata) -> PeopleService:
    return PeopleService(metadata)


def test_what_is_put_is_made_then_changed_then_left_alone(metadata: Metadata, admin: Caller) -> None:
    made, is_new = put(metadata, "alice", Wanted("first"), admin)
    assert (made.kind, made.description, is_new) == (PrincipalKind.USER, "first", True)
    changed, is_new = put(metadata, "alice", Wanted("second", disabled=True), admin)
    assert (changed.description, changed.version, is_new) == ("second", made.version + 1, False)
    assert put(metadata, "alice", Wanted("second", disabled=True), admin) == (changed, False)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("alice", PrincipalKind.USER), ("@devs", PrincipalKind.GROUP), ("team+ci", PrincipalKind.ROBOT)],
)
def test_a_name_says_what_is_made(metadata: Metadata, admin: Caller, name: str, kind: PrincipalKind) -> None:
    assert put(metadata, name, Wanted(), admin)[0].kind is kind


def test_one_that_is_put_disabled_is_so_from_the_first(metadata: Metadata, admin: Caller) -> None:
    assert put(metadata, "alice", Wanted(disabled=True), admin)[0].disabled is not None


@pytest.mark.parametrize(("present", "version"), [(False, 1), (True, 0), (True, 2)])
def test_a_version_that_is_not_there_changes_nothing(
    metadata: Metadata, admin: Caller, people: PeopleService, present: bool, version: int
) -> None:
    if present:
        put(metadata, "alice", Wanted("first"), admin)
    before = people.find("alice")
    with pytest.raises(Changed):
        put(metadata, "alice", Wanted("second"), admin, version=version)
    assert people.find("alice") == before


def test_a_group_with_a_password_is_not_made_at_all(metadata: Metadata, admin: Caller, people: PeopleService) -> None:
    with pytest.raises(Unfit):
        put(metadata, "@devs", Wanted(), admin, password="hash")
    assert people.find("@devs") is None


def test_a_password_that_is_put_ends_sessions(metadata: Metadata, admin: Caller) -> None:
    alice, _ = put(metadata, "alice", Wanted(), admin, password="hash")
    metadata.transact(
        lambda tx: tx.credentials.add(
            alice.id, CredentialKind.SESSION, "session", label="", hint="", limits="", expires=None, parent=None,
            made_from="",
        )
    )  # fmt: skip
    put(metadata, "alice", Wanted(), admin, password="another")
    assert metadata.observe(lambda tx: tx.credentials.count(alice.id, CredentialKind.SESSION)) == 0


def test_the_last_administrator_is_neither_demoted_nor_disabled(metadata: Metadata, admin: Caller) -> None:
    for wanted in (Wanted(is_admin=False), Wanted(is_admin=True, disabled=True)):
        with pytest.raises(LastAdministrator):
            put(metadata, admin.name, wanted, admin)


def test_an_end_is_kept_as_it_was_put(metadata: Metadata, admin: Caller) -> None:
    ends = metadata.observe(lambda tx: tx.now) + timedelta(days=1)
    assert put(metadata, "team+ci", Wanted(expires=ends), admin)[0].expires == ends


def test_who_was_removed_meanwhile_is_not_removed_again(
    metadata: Metadata, admin: Caller, people: PeopleService
) -> None:
    version = put(metadata, "alice", Wanted("first"), admin)[0].version
    put(metadata, "alice", Wanted("second"), admin)
    with pytest.raises(Changed):
        people.remove("alice", admin, version=version)
    people.remove("alice", admin, version=version + 1)
    assert people.find("alice") is None


def test_members_come_by_the_page_and_by_the_source(metadata: Metadata, admin: Caller, people: PeopleService) -> None:
    group = people.add_group("devs", admin)
    for name in ("ann", "bob", "eve"):
        people.add_user(name, admin)
        people.join("@devs", name, admin)
    bob = people.get("bob")
    metadata.transact(lambda tx: tx.people.join(group.id, bob.id, "ldap"))
    whole = [("ann", "local"), ("bob", "ldap"), ("bob", "local"), ("eve", "local")]
    assert people.members("@devs") == whole
    assert people.members("@devs", ("ann", "local"), 2) == whole[1:3]
    assert people.members("@devs", ("bob", "ldap"), 5) == whole[2:]


def test_robots_of_a_project_come_without_those_of_its_neighbours(admin: Caller, people: PeopleService) -> None:
    for project, name in (("team", "a"), ("team", "b"), ("team", "c"), ("team-two", "a"), ("tea", "z"), ("teams", "a")):
        people.add_robot(project, name, admin)
    assert [each.name for each in people.robots("team", "", 10)] == ["team+a", "team+b", "team+c"]
    assert [each.name for each in people.robots("team", "a", 1)] == ["team+b"]


def push(metadata: Metadata, by: Caller, *names: str) -> None:
    for name in names:
        push_one(metadata, by, RepositoryName(name))


def push_one(metadata: Metadata, by: Caller, name: RepositoryName) -> None:
    content = name.text.encode()

    def work(tx: Transaction) -> None:
        repository = tx.repositories.get_or_create(name)
        tx.manifests.put(repository, Digest.of(content), content, Manifest(OCI_MANIFEST, (), None, {}), by)

    metadata.transact(work)


def test_a_search_finds_parts_of_names_by_the_page(metadata: Metadata, admin: Caller) -> None:
    push(metadata, admin, "team/app", "team/application", "away/app", "team/web")
    search = SearchService(metadata, Access())
    assert search.page(admin, "APP", "", 2) == ["away/app", "team/app"]
    assert search.page(admin, "app", "team/app", 2) == ["team/application"]
    assert search.page(admin, "", "", 9) == ["away/app", "team/app", "team/application", "team/web"]
    # A wildcard of SQL's is none here.
    assert search.page(admin, "team_app", "", 9) == search.page(admin, "%", "", 9) == []


def test_a_search_finds_nothing_that_may_not_be_pulled(metadata: Metadata, admin: Caller) -> None:
    push(metadata, admin, "away/app", "team/app", "team/secret-app", "zoo/app")
    rights = Rights(
        (
            Grant("alice", Pattern("team/**"), ("pull",)),
            Grant("alice", Pattern("zoo/app"), ("pull",)),
            Grant("alice", Pattern("team/secret-*"), ("pull",), denies=True),
        )
    )
    alice = Caller(admin.principal, "alice", rights=rights)
    search = SearchService(metadata, Access())
    assert search.page(alice, "app", "", 9) == ["team/app", "zoo/app"]
    assert search.page(alice, "app", "team/app", 9) == ["zoo/app"]
    limited = Caller(admin.principal, "alice", rights=rights, limits=Rights((Grant("", Pattern("zoo/*"), ("pull",)),)))
    assert search.page(limited, "app", "", 9) == ["zoo/app"]


def test_grants_are_seen_by_whom_they_concern_and_by_who_may_give_them(metadata: Metadata, admin: Caller) -> None:
    people, grants = PeopleService(metadata), GrantService(metadata)
    for name in ("alice", "bob"):
        people.add_user(name, admin)
    for subject, pattern in (("alice", "one/**"), ("bob", "one/app"), ("bob", "two/app"), ("bob", "team/app")):
        grants.put(subject, pattern, ["pull"], admin)
    grants.put("alice", "team/**", ["admin"], admin)
    alice = people.get("alice")
    rights = metadata.observe(lambda tx: tx.grants.concerning(alice.id))
    caller = Caller(alice.id, "alice", rights=rights)
    seen = grants.page_for(caller, "", 100)
    assert {(each.grant.subject, str(each.grant.pattern)) for each in seen} == {
        ("alice", "one/**"), ("alice", "team/**"), ("bob", "team/app"),
    }  # fmt: skip
    assert grants.page_for(caller, seen[0].grant.uuid, 1) == seen[1:2]
    assert len(grants.page_for(admin, "", 100)) == 5


PATTERNS = ("**", "team/**", "team/app", "team/app-*", "team/a*", "te*m/x", "team/deep/**", "away/app", "away/**", "x")


@pytest.mark.parametrize(
    "administers", [(), ("**",), ("team/**",), ("team/a*", "away/app"), ("te*m/x",), ("team/app",)]
)
def test_the_query_leaves_out_no_grant_that_may_be_seen(
    metadata: Metadata, admin: Caller, administers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(granting, "_BATCH", 3)
    people, grants = PeopleService(metadata), GrantService(metadata)
    for name in ("alice", "bob"):
        people.add_user(name, admin)
    for pattern in PATTERNS:
        grants.put("bob", pattern, ["pull"], admin)
    people.add_group("@devs", admin)
    people.join("@devs", "alice", admin)
    grants.put("@devs", "open/**", ["pull"], admin)
    for pattern in administers:
        grants.put("alice", pattern, ["admin"], admin)
    grants.put("alice", "team/deep/**", ["admin"], admin, denies=True)
    alice = people.get("alice")
    caller = Caller(alice.id, "alice", rights=metadata.observe(lambda tx: tx.grants.concerning(alice.id)))
    seen = [each for each in grants.page("", 100) if may_see(caller, each.grant)]
    assert grants.page_for(caller, "", 100) == seen
    assert grants.page_for(caller, "", 2) == seen[:2]
    bobs = [each for each in seen if each.grant.subject == "bob"]
    assert grants.page_for(caller, "", 100, "bob") == bobs


def test_grants_that_are_far_from_somebody_are_not_even_asked_for(metadata: Metadata, admin: Caller) -> None:
    people, grants = PeopleService(metadata), GrantService(metadata)
    for name in ("alice", "bob"):
        people.add_user(name, admin)
    near = [grants.put("bob", "team/app", ["pull"], admin), grants.put("alice", "one/app", ["pull"], admin)]
    grants.put("bob", "two/app", ["pull"], admin)
    alice, span = people.get("alice"), Pattern("team/**").span
    found = metadata.observe(lambda tx: tx.grants.near(alice.id, [span], "", 9))
    assert list(found) == sorted(near, key=lambda given: given.grant.uuid)
    alone = metadata.observe(lambda tx: tx.grants.near(alice.id, [], "", 9))
    assert list(alone) == near[1:]
