"""`entrepot robot …`."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from registry.auth.opaque import Opaque
from registry.core.facts import CredentialKind
from tests.unit.cli_people.desk import Desk


def secrets_of(desk: Desk, robot: str) -> list[str]:
    return [each["hint"] for each in desk.json(f"robot show {robot}")["credentials"]]


def test_a_robot_is_added_with_its_grants_and_its_secret_is_printed_once(desk: Desk) -> None:
    lines = desk.does("robot add team+ci --grant", "pull,push team/**", "--grant", "reader other/*")
    assert lines[0].startswith("robot team+ci was added, and expires ")
    secret = lines[1].removeprefix("  secret, shown this once: ")
    assert lines[2] == "  docker login -u team+ci 127.0.0.1:5000"
    opaque = Opaque.parse(secret)
    assert opaque is not None
    assert opaque.kind is CredentialKind.TOKEN
    shown = desk.json("robot show team+ci")
    assert [(each["actions"], each["pattern"]) for each in shown["grants"]] == [
        (["pull", "push"], "team/**"),
        (["pull"], "other/*"),
    ]
    assert [each["hint"] for each in shown["credentials"]] == [secret[:9]]
    assert secret not in json.dumps(shown)
    assert hashlib.sha256(secret.encode()).hexdigest() not in json.dumps(shown)


def test_a_robot_may_be_named_in_one_word_or_in_two(desk: Desk) -> None:
    assert desk.json("robot add team+ci")["name"] == "team+ci"
    assert desk.json("robot add team cd")["name"] == "team+cd"
    assert desk.json("robot add team cd2")["project"] == "team"
    for words in ("ci", "a b c"):
        assert desk.refused(f"robot add {words}") == (2, f"{words}: a robot is named PROJECT+NAME, or PROJECT NAME")
    assert desk.refused("robot add Team+ci")[0] == 2
    assert desk.refused("robot add team ci") == (1, "the name is taken: team+ci")


def test_what_cannot_be_granted_leaves_no_robot_behind(desk: Desk) -> None:
    for grant in ("pull", "fly team/**", "pull team/**/x"):
        assert desk.refused("robot add team+ci --grant", grant)[0] == 2
    assert desk.json("robot list") == []


def test_a_robot_ends_after_90_days_unless_something_else_is_said(desk: Desk) -> None:
    ends = {}
    for name, options in {"a": "", "b": " --expires 7d", "c": " --expires never"}.items():
        ends[name] = desk.json(f"robot add team+{name}{options}")["expires"]
    now = datetime.now(UTC)
    assert abs(datetime.fromisoformat(ends["a"]) - now - timedelta(days=90)) < timedelta(minutes=5)
    assert abs(datetime.fromisoformat(ends["b"]) - now - timedelta(days=7)) < timedelta(minutes=5)
    assert ends["c"] is None


@pytest.mark.parametrize("text", ["soon", "0s", "-1d", "999999d", "999999999999999d"])
def test_a_lifetime_that_is_none_is_refused(desk: Desk, text: str) -> None:
    assert desk(f"robot add team+ci --expires {text}").exit_code == 2


def test_those_that_expire_within_14_days_are_marked(desk: Desk) -> None:
    for name, expires in {"soon": "13d", "later": "15d", "never": "never"}.items():
        desk.does(f"robot add team {name} --expires {expires}")
    assert {each["name"]: each["expires_soon"] for each in desk.json("robot list")} == {
        "team+later": False,
        "team+never": False,
        "team+soon": True,
    }
    (marked,) = (line for line in desk.does("robot list") if line.endswith("(soon)"))
    assert marked.startswith("team+soon")


def test_robots_of_one_project_are_listed_alone(desk: Desk) -> None:
    for name in ("team+ci", "steam+ci", "team-b+ci"):
        desk.does(f"robot add {name} --description", "for team+all")
    assert [each["name"] for each in desk.json("robot list --project team")] == ["team+ci"]
    assert len(desk.json("robot list")) == 3


def test_another_secret_takes_the_place_of_the_former_or_stands_beside_it(desk: Desk) -> None:
    first = desk.json("robot add team+ci")["secret"]
    second = desk.json("robot rotate team+ci --keep-former")["secret"]
    assert secrets_of(desk, "team+ci") == [second[:9], first[:9]]
    third = desk.json("robot rotate team+ci")["secret"]
    assert secrets_of(desk, "team+ci") == [third[:9]]
    assert len({first, second, third}) == 3


def test_a_robot_is_disabled_enabled_extended_and_removed(desk: Desk) -> None:
    desk.does("robot add team+ci --expires 1s")
    assert desk.json("robot disable team+ci")["state"] == "disabled"
    desk.does("robot enable team+ci")
    assert desk.json("robot extend team+ci --expires 30d")["expires_soon"] is False
    assert desk.does("robot extend team+ci --expires never") == ["robot team+ci expires never"]
    assert desk.json("robot remove team+ci") == {"name": "team+ci", "removed": True}
    assert desk.json("robot list") == []


@pytest.mark.parametrize("verb", ["show", "disable", "enable", "remove", "rotate", "extend"])
def test_a_verb_for_robots_touches_no_user(desk: Desk, verb: str) -> None:
    assert desk.refused(f"robot {verb} admin") == (1, "admin: it is no robot")


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"REGISTRY_PUBLIC_URL": "https://registry.example.org"}, "registry.example.org"),
        ({"REGISTRY_HOST": "0.0.0.0", "REGISTRY_PORT": "5001"}, "localhost:5001"),
    ],
)
def test_the_line_for_docker_names_the_registry_as_docker_must(
    desk: Desk, settings: dict[str, str], place: str
) -> None:
    told = desk("robot add team+ci --json", **settings)
    assert json.loads(told.stdout)["login"] == f"docker login -u team+ci {place}"
