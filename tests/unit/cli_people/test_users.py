"""`entrepot user …`."""

from __future__ import annotations

import json

import bcrypt
import pytest

from registry.auth.passwords import Passwords
from tests.unit.cli_people.desk import PASSWORD, Desk

SECRET = "battery staple"


def opens(desk: Desk, name: str, password: str) -> bool:
    known = desk.password_of(name)
    return known is not None and Passwords().verify(password, known.secret).ok


def test_a_user_is_added_with_the_password_that_is_piped_in(desk: Desk) -> None:
    result = desk("user add alice --password-stdin --json", stdin=f"{SECRET}\nmore\n")
    assert SECRET not in result.output
    assert json.loads(result.stdout) == {
        "name": "alice",
        "kind": "user",
        "state": "active",
        "is_admin": False,
        "description": "",
        "source": "local",
        "created": json.loads(result.stdout)["created"],
        "disabled": None,
        "password": None,
    }
    assert opens(desk, "alice", SECRET)


def test_a_generated_password_is_printed_once(desk: Desk) -> None:
    first, second = desk.does("user add alice --generate")
    assert first == "user alice was added"
    password = second.removeprefix("  password, shown this once: ")
    assert opens(desk, "alice", password)
    assert password not in "\n".join(desk.does("user show alice"))
    assert opens(desk, "bob", desk.json("user add bob --generate")["password"])


@pytest.mark.parametrize("prefix", [b"2a", b"2b"])
def test_a_bcrypt_hash_is_taken_as_it_is(desk: Desk, prefix: bytes) -> None:
    hashed = bcrypt.hashpw(SECRET.encode(), bcrypt.gensalt(4, prefix)).decode()
    desk.does("user add alice --hash-stdin", stdin=f"{hashed}\n")
    assert opens(desk, "alice", SECRET)


@pytest.mark.parametrize("text", ["", "plain text", "$apr1$x$y", "$2y$05$short", "$2y$31$" + "a" * 53])
def test_a_hash_that_no_password_can_be_compared_with_is_refused(desk: Desk, text: str) -> None:
    status, told = desk.refused("user add alice --hash-stdin", stdin=f"{text}\n")
    assert status == 2
    assert "bcrypt" in told
    assert not (text and text in told)
    assert desk.refused("user show alice")[0] == 1


def test_a_user_without_a_password_has_nothing_to_sign_in_with(desk: Desk) -> None:
    desk.does("user add alice --no-password")
    assert desk.password_of("alice") is None
    assert desk.json("user show alice")["credentials"] == []


def test_where_nobody_can_be_asked_the_way_must_be_said(desk: Desk) -> None:
    status, told = desk.refused("user add alice")
    assert status == 2
    assert all(way in told for way in ("--password-stdin", "--generate", "--hash-stdin", "--no-password"))


def test_two_ways_do_not_go_together(desk: Desk) -> None:
    told = "--generate and --no-password do not go together"
    assert desk.refused("user add alice --no-password --generate") == (2, told)


@pytest.mark.parametrize("password", ["", "1234567", "null\0null", "x" * 5000])
def test_a_password_that_is_too_short_or_none_at_all_is_refused(desk: Desk, password: str) -> None:
    status, told = desk.refused("user add alice --password-stdin", stdin=f"{password}\n")
    assert (status, "a password has" in told) == (2, True)


def test_a_name_that_is_taken_ends_with_1_and_one_that_nobody_can_have_with_2(desk: Desk) -> None:
    assert desk.refused("user add admin --no-password") == (1, "the name is taken: admin")
    assert desk.refused("user add Alice --no-password")[0] == 2
    assert desk.refused("user add anyone --no-password") == (2, "anyone: the name is reserved")


def test_another_password_takes_the_place_of_the_former(desk: Desk) -> None:
    desk.does("user add alice --password-stdin", stdin=f"{PASSWORD}\n")
    assert desk.does("user passwd alice --password-stdin", stdin=f"{SECRET}\n") == ["user alice has another password"]
    assert not opens(desk, "alice", PASSWORD)
    assert opens(desk, "alice", SECRET)
    assert opens(desk, "alice", desk.json("user passwd alice --generate")["password"])


def test_a_password_can_be_taken_away_but_for_that_of_the_last_administrator(desk: Desk) -> None:
    desk.does("user add alice --generate")
    assert desk.does("user passwd alice --no-password") == ["user alice has no password any more"]
    assert desk.password_of("alice") is None
    told = "this is the last administrator who can sign in: admin"
    assert desk.refused("user passwd admin --no-password") == (1, told)
    assert opens(desk, "admin", PASSWORD)


def test_users_are_listed_by_name_with_their_state(desk: Desk) -> None:
    desk.does("user add carol --no-password --description", "from sales")
    desk.does("user add bob --no-password")
    desk.does("user disable bob")
    assert [line.split() for line in desk.does("user list")] == [
        ["NAME", "STATE", "ADMIN", "SOURCE", "DESCRIPTION"],
        ["admin", "active", "yes", "local"],
        ["bob", "disabled", "no", "local"],
        ["carol", "active", "no", "local", "from", "sales"],
    ]
    assert [(each["name"], each["state"]) for each in desk.json("user list")] == [
        ("admin", "active"),
        ("bob", "disabled"),
        ("carol", "active"),
    ]


def test_a_user_is_shown_with_groups_grants_and_credentials(desk: Desk) -> None:
    desk.does("user add alice --generate")
    desk.does("group add devs")
    desk.does("group join devs alice")
    for grant in ("alice pull own/**", "@devs writer team/**", "anyone pull public/**", "admin pull other/**"):
        desk.does(f"grant add {grant}")
    shown = desk.json("user show alice")
    assert shown["groups"] == ["@devs"]
    assert [(each["subject"], each["actions"], each["pattern"]) for each in shown["grants"]] == [
        ("alice", ["pull"], "own/**"),
        ("@devs", ["pull", "push"], "team/**"),
        ("anyone", ["pull"], "public/**"),
    ]
    assert [each["kind"] for each in shown["credentials"]] == ["password"]
    assert not {"secret", "hash", "password"} & {key for each in shown["credentials"] for key in each}
    told = "\n".join(desk.does("user show alice"))
    assert all(word in told for word in ("@devs", "own/**", "team/**", "public/**", "password"))
    assert "other/**" not in told


def test_what_the_settings_grant_is_shown_too(desk: Desk) -> None:
    told = desk("user show admin --json", REGISTRY_ANONYMOUS_PULL="true").stdout
    assert [(each["uuid"], each["subject"]) for each in json.loads(told)["grants"]] == [(None, "anyone")]


def test_a_disabled_user_signs_in_no_more_until_it_is_enabled(desk: Desk) -> None:
    desk.does("user add alice --password-stdin", stdin=f"{SECRET}\n")
    assert desk.json("user disable alice")["state"] == "disabled"
    assert desk.password_of("alice") is None
    assert desk.json("user enable alice")["state"] == "active"
    assert opens(desk, "alice", SECRET)


def test_a_removed_user_is_gone_and_its_name_is_free(desk: Desk) -> None:
    desk.does("user add alice --no-password")
    assert desk.json("user remove alice") == {"name": "alice", "removed": True}
    assert desk.refused("user show alice") == (1, "no such user, group or robot: alice")
    desk.does("user add alice --no-password")


def test_administrators_are_made_and_unmade_but_for_the_last(desk: Desk) -> None:
    desk.does("user add alice --generate")
    told = "this is the last administrator who can sign in: admin"
    for verb in ("user admin admin --no", "user disable admin"):
        assert desk.refused(verb) == (1, told)
    assert desk.json("user admin alice --yes")["is_admin"] is True
    assert desk.json("user admin admin --no")["is_admin"] is False
    assert desk("user admin alice").exit_code == 2


def test_the_first_account_stays_so_that_the_registry_starts_again(desk: Desk) -> None:
    desk.does("user add alice --admin --generate")
    assert desk.refused("user remove admin") == (2, "admin: the first account stays; it can be disabled")


@pytest.mark.parametrize("verb", ["show", "disable", "enable", "remove", "passwd --generate", "admin --yes"])
def test_a_verb_for_users_touches_no_robot_and_no_group(desk: Desk, verb: str) -> None:
    desk.does("robot add team+ci")
    desk.does("group add devs")
    for name in ("team+ci", "@devs"):
        assert desk.refused(f"user {verb} {name}") == (1, f"{name}: it is no user")
    assert desk.json("robot show team+ci")["state"] == "active"
