"""The rules of people: what is refused, what is told of each change, and that somebody can always administer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from registry.core.credentials import MOST_OF_A_KIND, CredentialService, Made
from registry.core.facts import Caller, CredentialKind
from registry.core.people import WARNING, PeopleService
from registry.core.people_put import Wanted, put
from registry.core.refusals import LastAdministrator, NameTaken, PrincipalUnknown, TooManyCredentials, Unfit
from tests.unit.core.conftest import Clock
from tests.unit.core.house import House
from tests.unit.metadata.databases import quick_folder

_HASHES = count()
HASH = "hash of a password"


class Office:
    """The rules over a database, and what was written down of what was done."""

    def __init__(self, house: House) -> None:
        self.house, self.admin = house, house.admin
        self.people, self.credentials = PeopleService(house.metadata), CredentialService(house.metadata)

    def told(self) -> list[tuple[Any, ...]]:
        """Of each event since this was asked last: what, by whom, of whom, and how."""
        told = self.house.rows(
            "SELECT action, (SELECT name FROM principal WHERE id = principal_id), target, detail, outcome FROM event"
        )
        self.house.rows("DELETE FROM event")
        assert {each[-1] for each in told} <= {"done"}
        return [each[:-1] for each in told]

    def made(self) -> Made:
        return Made(f"hash {next(_HASHES)}", "entp_abcd")

    def secrets(self, name: str) -> list[str]:
        """The hashes that are good by now."""
        held = [each.id for each in self.credentials.list(self.people.get(name).id)]
        rows = dict(self.house.rows("SELECT id, secret FROM credential"))
        return sorted(rows[each] for each in held)


@pytest.fixture
def office() -> Iterator[Office]:
    with quick_folder() as folder, closing(House(folder)) as house:
        house.rows("DELETE FROM event")
        yield Office(house)


# Made


def test_users_groups_and_robots_are_made_and_told_of(office: Office) -> None:
    people, admin = office.people, office.admin
    alice = people.add_user("alice", admin, password=HASH, description="of the night shift")
    root = people.add_user("root", admin, is_admin=True)
    devs = people.add_group("devs", admin)
    robot = people.add_robot("team", "ci", admin, lifetime=timedelta(days=1))
    assert [each.name for each in (alice, root, devs, robot)] == ["alice", "root", "@devs", "team+ci"]
    assert (alice.description, alice.is_admin, root.is_admin) == ("of the night shift", False, True)
    assert robot.expires is not None
    assert robot.expires - robot.created == timedelta(days=1)
    assert office.secrets("alice") == [HASH]
    assert office.secrets("team+ci") == []
    assert office.told() == [
        ("principal.add", "admin", "alice", ""),
        ("principal.add", "admin", "root", "admin"),
        ("principal.add", "admin", "@devs", ""),
        ("principal.add", "admin", "team+ci", ""),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "", "Alice", "a b", "-a", "a-", "a..b", "@alice", "team+ci", "a/b", "a\n", "é", "a" * 65, "anyone", "anonymous",
        "open", "local", "(open)", "a:b",
    ],
)  # fmt: skip
def test_a_name_that_no_user_can_have_is_refused(office: Office, name: str) -> None:
    with pytest.raises(Unfit):
        office.people.add_user(name, office.admin)
    with pytest.raises(Unfit):
        office.people.add_robot("team", name, office.admin)
    assert office.told() == []


@pytest.mark.parametrize("project", ["", "a/b", "Team", "team+", "-", "t" * 65])
def test_a_robot_of_what_is_no_project_is_refused(office: Office, project: str) -> None:
    with pytest.raises(Unfit):
        office.people.add_robot(project, "ci", office.admin)


def test_a_name_is_given_once_and_to_one_kind(office: Office) -> None:
    office.people.add_group("devs", office.admin)
    with pytest.raises(NameTaken):
        office.people.add_group("@devs", office.admin)
    # These share no name, as each says what it is.
    office.people.add_user("devs", office.admin)
    office.people.add_robot("devs", "devs", office.admin)
    assert len(office.told()) == 3


# Changed


def test_who_is_disabled_is_told_of_once_and_comes_back_as_it_was(office: Office) -> None:
    office.people.add_user("alice", office.admin, password=HASH)
    office.told()
    disabled = office.people.disable("alice", office.admin)
    assert office.people.disable("alice", office.admin) == disabled
    enabled = office.people.enable("alice", office.admin)
    assert (enabled.disabled, enabled.version) == (None, 3)
    assert office.secrets("alice") == [HASH]
    assert office.told() == [
        ("principal.change", "admin", "alice", f"disabled: {disabled.disabled}"),
        ("principal.change", "admin", "alice", "disabled: None"),
    ]


def test_a_removed_one_is_told_of_and_its_name_is_free(office: Office) -> None:
    former = office.people.add_user("alice", office.admin, password=HASH)
    office.told()
    office.people.remove("alice", office.admin)
    assert office.told() == [("principal.remove", "admin", "alice", "")]
    with pytest.raises(PrincipalUnknown):
        office.people.get("alice")
    # Nor is it known by the name that its row has from now on.
    with pytest.raises(PrincipalUnknown):
        office.people.get(f"alice({former.uuid})")
    assert office.people.add_user("alice", office.admin).id != former.id


REFUSED: dict[str, tuple[type[Exception], Callable[[PeopleService, Caller], object]]] = {
    "get": (PrincipalUnknown, lambda people, _: people.get("nobody")),
    "get the open one": (PrincipalUnknown, lambda people, _: people.get("(open)")),
    "get by the name of its row": (PrincipalUnknown, lambda people, _: people.get("(anonymous)")),
    "disable": (PrincipalUnknown, lambda people, by: people.disable("nobody", by)),
    "disable everybody": (Unfit, lambda people, by: people.disable("anyone", by)),
    "put everybody": (Unfit, lambda people, by: put(people.metadata, "anyone", Wanted(is_admin=True), by)),
    "remove": (PrincipalUnknown, lambda people, by: people.remove("nobody", by)),
    "remove everybody": (Unfit, lambda people, by: people.remove("anyone", by)),
    "remove the first one": (Unfit, lambda people, by: people.remove("admin", by)),
    "password of nobody": (PrincipalUnknown, lambda people, by: people.set_password("nobody", HASH, by)),
    "password of a group": (Unfit, lambda people, by: people.set_password("@devs", HASH, by)),
    "password of a robot": (Unfit, lambda people, by: people.set_password("team+ci", HASH, by)),
    "password of everybody": (Unfit, lambda people, by: people.set_password("anyone", HASH, by)),
    "members of a user": (PrincipalUnknown, lambda people, _: people.members("alice")),
    "members of nobody": (PrincipalUnknown, lambda people, _: people.members("@nobody")),
    "a group in a group": (Unfit, lambda people, by: people.join("@devs", "@devs", by)),
    "everybody in a group": (Unfit, lambda people, by: people.join("@devs", "anyone", by)),
    "somebody in a user": (PrincipalUnknown, lambda people, by: people.join("alice", "alice", by)),
    "nobody in a group": (PrincipalUnknown, lambda people, by: people.join("@devs", "nobody", by)),
    "nobody out of a group": (PrincipalUnknown, lambda people, by: people.leave("@devs", "nobody", by)),
    "groups of nobody": (PrincipalUnknown, lambda people, _: people.groups_of("nobody")),
    "a secret for a user": (Unfit, lambda people, by: people.rotate("alice", Made("x", ""), by)),
    "a secret for nobody": (PrincipalUnknown, lambda people, by: people.rotate("a+b", Made("x", ""), by)),
}


@pytest.mark.parametrize(("refusal", "ask"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_and_not_told_of(
    office: Office, refusal: type[Exception], ask: Callable[[PeopleService, Caller], object]
) -> None:
    office.people.add_user("alice", office.admin)
    office.people.add_group("devs", office.admin)
    office.people.add_robot("team", "ci", office.admin)
    office.told()
    with pytest.raises(refusal):
        ask(office.people, office.admin)
    assert office.told() == []


# Groups


def test_joining_and_leaving_is_told_of_when_it_is_news(office: Office) -> None:
    office.people.add_user("alice", office.admin)
    office.people.add_robot("team", "ci", office.admin)
    office.people.add_group("devs", office.admin)
    office.told()
    joined = [office.people.join("@devs", name, office.admin) for name in ("alice", "alice", "team+ci")]
    assert joined == [True, False, True]
    assert office.people.members("@devs") == [("alice", "local"), ("team+ci", "local")]
    assert office.people.groups_of("alice") == ["@devs"]
    assert [office.people.leave("@devs", "alice", office.admin) for _ in range(2)] == [True, False]
    assert office.told() == [
        ("group.join", "admin", "@devs", "alice"),
        ("group.join", "admin", "@devs", "team+ci"),
        ("group.leave", "admin", "@devs", "alice"),
    ]


# Passwords


def test_a_changed_password_signs_out_and_leaves_tokens(office: Office) -> None:
    alice = office.people.add_user("alice", office.admin, password=HASH)
    kept = office.made()
    office.credentials.give(alice.id, CredentialKind.TOKEN, kept, office.admin)
    office.credentials.give(alice.id, CredentialKind.SESSION, office.made(), office.admin)
    (password,) = [each.id for each in office.credentials.list(alice.id) if each.kind is CredentialKind.PASSWORD]
    office.credentials.give(alice.id, CredentialKind.REFRESH, office.made(), office.admin, parent=password)
    office.told()
    given = office.people.set_password("alice", "another hash", office.admin)
    assert given is not None
    assert given.id != password
    assert office.secrets("alice") == sorted([kept.hashed, "another hash"])
    assert office.told() == [("password.change", "admin", "alice", "")]
    assert office.people.set_password("alice", None, office.admin) is None
    assert office.secrets("alice") == [kept.hashed]
    assert office.told() == [("password.change", "admin", "alice", "none")]


def test_who_signs_in_elsewhere_gets_no_password_here(office: Office) -> None:
    user = office.people.add_user("alice", office.admin)
    office.house.rows("UPDATE principal SET source = 'ldap' WHERE id = ?", user.id)
    with pytest.raises(Unfit):
        office.people.set_password("alice", HASH, office.admin)


# The last administrator

WAYS: dict[str, Callable[[PeopleService, Caller, str], object]] = {
    "disabled": lambda people, by, who: people.disable(who, by),
    "demoted": lambda people, by, who: people.change(who, by, lambda each, _: replace(each, is_admin=False)),
    "given an end": lambda people, by, who: people.change(
        who, by, lambda each, now: replace(each, expires=now + timedelta(days=9))
    ),
    "put": lambda people, by, who: put(people.metadata, who, Wanted(), by),
    "without a password": lambda people, by, who: people.set_password(who, None, by),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_last_administrator_stays_one(office: Office, way: Callable[[PeopleService, Caller, str], object]) -> None:
    group = office.people.add_group("root", office.admin, is_admin=True)
    office.people.add_user("by-group", office.admin, password=HASH)
    office.people.join(group.name, "by-group", office.admin)
    office.people.add_user("without", office.admin, is_admin=True)
    office.people.add_user("out", office.admin, password=HASH, is_admin=True)
    office.people.disable("out", office.admin)
    before = office.people.get("admin")
    office.told()
    with pytest.raises(LastAdministrator):
        way(office.people, office.admin, "admin")
    assert office.people.get("admin") == before
    assert office.told() == []
    office.people.enable("out", office.admin)
    way(office.people, office.admin, "admin")


def test_the_last_administrator_is_not_removed_whatever_its_name(office: Office) -> None:
    office.people.add_user("root", office.admin, password=HASH, is_admin=True)
    office.people.disable("admin", office.admin)
    with pytest.raises(LastAdministrator):
        office.people.remove("root", office.admin)
    office.people.enable("admin", office.admin)
    office.people.remove("root", office.admin)


# Robots


def test_a_new_secret_is_in_place_of_the_former_ones_or_beside_them(office: Office) -> None:
    office.people.add_robot("team", "ci", office.admin)
    office.told()
    made = [office.made() for _ in range(3)]
    office.people.rotate("team+ci", made[0], office.admin)
    office.people.rotate("team+ci", made[1], office.admin, keep_former=True)
    assert office.secrets("team+ci") == sorted([made[0].hashed, made[1].hashed])
    office.people.rotate("team+ci", made[2], office.admin)
    assert office.secrets("team+ci") == [made[2].hashed]
    assert office.told() == [("credential.give", "admin", "team+ci", "token secret")] * 3


def test_a_secret_that_cannot_be_given_leaves_the_former_ones(office: Office) -> None:
    office.people.add_robot("team", "ci", office.admin)
    made = office.made()
    office.people.rotate("team+ci", made, office.admin)
    # The same text again: the database has each once.
    with pytest.raises(Exception, match="UNIQUE"):
        office.people.rotate("team+ci", made, office.admin)
    assert office.secrets("team+ci") == [made.hashed]


def test_secrets_do_not_pile_up(office: Office) -> None:
    office.people.add_robot("team", "ci", office.admin)
    for _ in range(MOST_OF_A_KIND):
        office.people.rotate("team+ci", office.made(), office.admin, keep_former=True)
    with pytest.raises(TooManyCredentials):
        office.people.rotate("team+ci", office.made(), office.admin, keep_former=True)
    office.people.rotate("team+ci", office.made(), office.admin)
    assert len(office.secrets("team+ci")) == 1


def test_an_end_that_comes_near_is_told_of_once(office: Office, clock: Clock) -> None:
    for name, lifetime in (
        ("soon", WARNING - timedelta(hours=1)),
        ("later", WARNING + timedelta(hours=1)),
        ("no", None),
    ):
        office.people.add_robot("team", name, office.admin, lifetime=lifetime)
    soon = office.people.get("team+soon")
    office.told()
    assert office.people.warn_of_ends(office.admin) == [soon]
    assert office.told() == [("robot.expiring", "admin", "team+soon", f"expires {soon.expires}")]
    assert office.people.warn_of_ends(office.admin) == []
    clock.turn(timedelta(hours=2))
    assert [each.name for each in office.people.warn_of_ends(office.admin)] == ["team+later"]
    assert len(office.told()) == 1
