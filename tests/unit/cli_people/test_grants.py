"""`entrepot grant …`."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli_people.desk import Desk


@pytest.fixture(autouse=True)
def people(desk: Desk) -> None:
    desk.does("user add alice --no-password")
    desk.does("group add devs")
    desk.does("robot add team+ci")


def test_a_grant_is_given_in_actions_or_by_a_preset(desk: Desk) -> None:
    assert desk.does("grant add alice push,pull team/app") == ["grants alice pull,push on team/app"]
    given = desk.json("grant add @devs maintainer team/**")
    assert (given["subject"], given["actions"], given["pattern"], given["denies"], given["by"]) == (
        "@devs", ["pull", "push", "delete"], "team/**", False, "admin",
    )  # fmt: skip
    assert desk.json("grant add anyone pull public/** --deny")["denies"] is True


def test_another_grant_on_the_same_pattern_takes_the_place_of_the_former(desk: Desk) -> None:
    desk.does("grant add alice writer team/**")
    desk.does("grant add alice reader team/**")
    assert [each["actions"] for each in desk.json("grant list")] == [["pull"]]


def test_grants_are_listed_by_subject_and_pattern(desk: Desk) -> None:
    for grant in (
        "team+ci push team/**",
        "alice pull b/**",
        "@devs pull x",
        "alice pull a/**",
        "alice pull a/** --deny",
    ):
        desk.does(f"grant add {grant}")
    assert [(each["subject"], each["pattern"], each["denies"]) for each in desk.json("grant list")] == [
        ("@devs", "x", False),
        ("alice", "a/**", False),
        ("alice", "a/**", True),
        ("alice", "b/**", False),
        ("team+ci", "team/**", False),
    ]
    assert [each["subject"] for each in desk.json("grant list @devs")] == ["@devs"]
    assert [line.split()[:4] for line in desk.does("grant list team+ci")] == [
        ["SUBJECT", "VERB", "ACTIONS", "PATTERN"],
        ["team+ci", "grants", "push", "team/**"],
    ]
    assert desk.does("grant list anyone") == ["none"]
    assert desk.refused("grant list nobody")[0] == 1


def test_a_grant_is_taken_back_by_what_it_says_or_by_its_uuid(desk: Desk) -> None:
    desk.does("grant add alice pull team/**")
    uuid = desk.json("grant add alice pull team/** --deny")["uuid"]
    assert desk.does("grant remove alice team/**") == ["taken back: grants alice pull on team/**"]
    assert desk.refused("grant remove alice team/**") == (1, "no such grant: alice: team/**")
    gone = desk.json(f"grant remove {uuid}")
    assert (gone["uuid"], gone["denies"], gone["removed"]) == (uuid, True, True)
    assert desk.refused(f"grant remove {uuid}") == (1, f"no such grant: {uuid}")
    desk.does("grant add alice pull team/** --deny")
    desk.does("grant remove alice team/** --deny")
    assert desk.json("grant list") == []


@pytest.mark.parametrize("words", ["a b c", "some-uuid --deny"])
def test_a_grant_to_be_taken_back_is_named_by_two_words_or_one(desk: Desk, words: str) -> None:
    assert desk.refused(f"grant remove {words}") == (2, "give a SUBJECT and a PATTERN, or a UUID alone")


def test_words_that_no_grant_is_written_in_end_with_2_and_an_unknown_subject_with_1(desk: Desk) -> None:
    assert desk.refused("grant add alice fly team/**")[0] == 2
    assert desk.refused("grant add alice pull team/**/x")[0] == 2
    assert desk.refused("grant add nobody pull team/**") == (1, "no such user, group or robot: nobody")


def test_explain_ends_with_0_for_what_is_allowed_and_names_the_grant(desk: Desk) -> None:
    given = desk.json("grant add @devs reader team/**")
    desk.does("group join devs alice")
    result = desk("grant explain alice pull team/app --json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["allowed"], told["grant"]["uuid"]) == (0, True, given["uuid"])
    assert desk.does("grant explain alice pull team/app") == [told["sentence"]]


def test_explain_ends_with_1_for_what_is_not_allowed_and_says_so_on_standard_output(desk: Desk) -> None:
    result = desk("grant explain alice push team/app")
    assert (result.exit_code, result.stderr) == (1, "")
    assert "alice may not push team/app" in result.stdout
    assert json.loads(desk("grant explain alice push team/app --json").stdout)["grant"] is None


def test_explain_ends_with_2_for_what_is_no_action_and_no_repository(desk: Desk) -> None:
    assert desk.refused("grant explain alice fly team/app")[0] == 2
    assert desk.refused("grant explain alice pull Team/App")[0] == 2


def test_explain_knows_what_the_settings_grant(desk: Desk) -> None:
    assert desk("grant explain anyone pull team/app").exit_code == 1
    assert desk("grant explain anyone pull team/app", REGISTRY_ANONYMOUS_PULL="true").exit_code == 0
