"""`entrepot group …`."""

from __future__ import annotations

import pytest

from registry.core.ports import Transaction
from tests.unit.cli_people.desk import Desk


@pytest.fixture(autouse=True)
def people(desk: Desk) -> None:
    desk.does("user add alice --no-password")
    desk.does("robot add team+ci")
    desk.does("group add devs")


def test_a_group_is_named_with_its_sign_or_without(desk: Desk) -> None:
    assert desk.json("group show devs") == desk.json("group show @devs")
    assert desk.refused("group add @devs") == (1, "the name is taken: @devs")
    assert desk.refused("group show nobody") == (1, "no such user, group or robot: @nobody")


def test_a_group_may_be_one_of_administrators(desk: Desk) -> None:
    desk.does("group add ops --admin --description", "who are called at night")
    assert [line.split()[:3] for line in desk.does("group list")] == [
        ["NAME", "STATE", "ADMIN"],
        ["@devs", "active", "no"],
        ["@ops", "active", "yes"],
    ]
    desk.does("group join ops alice")
    assert desk("grant explain alice delete any/thing").exit_code == 0


def test_users_and_robots_join_and_leave(desk: Desk) -> None:
    assert desk.does("group join devs alice team+ci") == ["alice is in @devs", "team+ci is in @devs"]
    assert desk.json("group join devs alice") == {"name": "@devs", "joined": []}
    assert desk.does("group join devs alice") == ["alice is in @devs already"]
    shown = desk.json("group show devs")
    assert shown["members"] == [{"name": "alice", "source": "local"}, {"name": "team+ci", "source": "local"}]
    assert desk.json("group leave devs alice") == {"name": "@devs", "left": ["alice"]}
    assert [each["name"] for each in desk.json("group show devs")["members"]] == ["team+ci"]
    assert desk.json("robot show team+ci")["groups"] == ["@devs"]


def test_of_several_names_none_joins_or_leaves_when_one_is_not_there(desk: Desk) -> None:
    assert desk.refused("group join devs alice nobody") == (1, "no such user, group or robot: nobody")
    assert desk.refused("group join devs alice @devs") == (1, "@devs: it is no user and no robot")
    assert desk.json("group show devs")["members"] == []
    desk.does("group join devs alice")
    assert desk.refused("group leave devs alice team+ci")[0] == 1
    assert [each["name"] for each in desk.json("group show devs")["members"]] == ["alice"]


def test_whom_a_source_of_sign_ins_has_put_there_stays(desk: Desk) -> None:
    def put(tx: Transaction) -> None:
        alice, devs = (tx.people.find(name) for name in ("alice", "@devs"))
        assert alice
        assert devs
        tx.people.replace_groups(alice.id, "ldap", [devs.id])

    with desk.facts() as facts:
        facts.transact(put)
    assert desk.refused("group leave devs alice") == (1, "alice: not in @devs by what was decided here")
    assert "  alice, says ldap" in desk.does("group show devs")


def test_a_removed_group_leaves_its_members_and_takes_its_grants(desk: Desk) -> None:
    desk.does("group join devs alice")
    desk.does("grant add @devs pull team/**")
    assert desk.json("group remove devs") == {"name": "@devs", "removed": True}
    assert desk.json("grant list") == []
    assert desk.json("user show alice")["groups"] == []
