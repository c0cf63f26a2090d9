"""The rules of grants: what is refused, and what is told of each change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from registry.core.facts import Caller
from registry.core.granting import GrantService
from registry.core.people import PeopleService
from registry.core.refusals import Changed, GrantUnknown, PrincipalUnknown, Unfit
from tests.unit.core.house import House
from tests.unit.metadata.databases import quick_folder


@pytest.fixture
def house() -> Iterator[House]:
    with quick_folder() as folder, closing(House(folder)) as house:
        people = PeopleService(house.metadata)
        people.add_user("alice", house.admin)
        people.add_group("devs", house.admin)
        house.rows("DELETE FROM event")
        yield house


@pytest.fixture
def grants(house: House) -> GrantService:
    return GrantService(house.metadata)


def told(house: House) -> list[tuple[object, ...]]:
    """What was written down since this was asked last."""
    events = house.rows("SELECT action, principal_id, target, detail FROM event ORDER BY id")
    house.rows("DELETE FROM event")
    assert {each[1] for each in events} <= {house.admin.principal}
    return [(action, target, detail) for action, _, target, detail in events]


def test_a_grant_is_told_of_when_it_is_news(house: House, grants: GrantService) -> None:
    first = grants.put("alice", "team/**", ["writer"], house.admin)
    assert grants.put("alice", "team/**", ["push", "pull"], house.admin) == first
    assert grants.put("alice", "team/**", ["owner"], house.admin).version == 2
    grants.put("@devs", "team/secret", ["pull"], house.admin, denies=True)
    grants.put("anyone", "public/**", ["reader"], house.admin)
    grants.remove(first.grant.uuid, house.admin)
    grants.remove_on("@devs", "team/secret", house.admin, denies=True)
    assert told(house) == [
        ("grant.put", "alice", "grants alice pull,push on team/**"),
        ("grant.put", "alice", "grants alice pull,push,delete,admin on team/**"),
        ("grant.put", "@devs", "denies @devs pull on team/secret"),
        ("grant.put", "anyone", "grants anyone pull on public/**"),
        ("grant.remove", "alice", "grants alice pull,push,delete,admin on team/**"),
        ("grant.remove", "@devs", "denies @devs pull on team/secret"),
    ]


def test_what_is_expected_of_a_grant_must_still_hold(house: House, grants: GrantService) -> None:
    with pytest.raises(Changed):
        grants.put("alice", "team/**", ["pull"], house.admin, version=1)
    given = grants.put("alice", "team/**", ["pull"], house.admin, version=0)
    with pytest.raises(Changed):
        grants.put("alice", "team/**", ["push"], house.admin, version=0)
    changed = grants.put("alice", "team/**", ["push"], house.admin, version=given.version)
    assert (changed.version, changed.grant.uuid) == (2, given.grant.uuid)
    with pytest.raises(Changed):
        grants.remove(given.grant.uuid, house.admin, version=given.version)
    assert grants.get(given.grant.uuid) == changed
    assert grants.remove(given.grant.uuid, house.admin, version=2) == changed
    assert len(told(house)) == 3


REFUSED: dict[str, tuple[type[Exception], Callable[[GrantService, Caller], object]]] = {
    "to nobody": (PrincipalUnknown, lambda grants, by: grants.put("nobody", "team/**", ["pull"], by)),
    "to who is open": (PrincipalUnknown, lambda grants, by: grants.put("(open)", "team/**", ["pull"], by)),
    "on no pattern": (Unfit, lambda grants, by: grants.put("alice", "team//app", ["pull"], by)),
    "on a long pattern": (Unfit, lambda grants, by: grants.put("alice", "a" * 256, ["pull"], by)),
    "of no action": (Unfit, lambda grants, by: grants.put("alice", "team/**", ["fly"], by)),
    "of nothing": (Unfit, lambda grants, by: grants.put("alice", "team/**", [], by)),
    "of every action": (Unfit, lambda grants, by: grants.put("alice", "team/**", ["*"], by)),
    "that is not there": (GrantUnknown, lambda grants, by: grants.remove("none", by)),
    "that nobody has": (GrantUnknown, lambda grants, _: grants.get("none")),
    "on what is not granted": (GrantUnknown, lambda grants, by: grants.remove_on("alice", "team/*", by)),
    "that is a denial": (GrantUnknown, lambda grants, by: grants.remove_on("alice", "team/app", by, denies=True)),
    "taken from nobody": (PrincipalUnknown, lambda grants, by: grants.remove_on("nobody", "team/app", by)),
    "listed of nobody": (PrincipalUnknown, lambda grants, _: grants.page("", 9, "nobody")),
}


@pytest.mark.parametrize(("refusal", "ask"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_granted_is_refused_and_not_told_of(
    house: House, grants: GrantService, refusal: type[Exception], ask: Callable[[GrantService, Caller], object]
) -> None:
    given = grants.put("alice", "team/app", ["pull"], house.admin)
    told(house)
    with pytest.raises(refusal):
        ask(grants, house.admin)
    assert told(house) == []
    assert [*grants.page("", 9)] == [given]
