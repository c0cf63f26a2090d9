"""`entrepot retention …` and `entrepot immutable …`, over a registry's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry import app
from registry.config import Settings
from tests.unit.cli_people.desk import Desk

INDEX = (
    b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"a":"%b"}}'
)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Four tags, the last one the youngest, and a manifest without any."""
    app.prepare(Settings(data=tmp_path))
    desk = Desk(tmp_path)
    for number, tag in enumerate(("latest", "1.0.0", "latest", "1.0.1", "1.1.0")):
        desk.push("team/app", tag, INDEX % b"%d" % number)
    return desk


def test_a_rule_is_made_listed_and_taken_back(desk: Desk) -> None:
    assert desk.does("retention add team/** --last 2 --pushed-within 30d --except stable --like", "latest v*") == [
        "of * of team/** but stable keep the last 2 pushed, those pushed within 30d, those like latest v*"
    ]
    (rule,) = desk.json("retention list")
    assert rule["keeps"] == {"last": 2, "pushed_within": 2592000, "like": "latest v*"}
    assert (rule["repositories"], rule["tags"], rule["exceptions"], rule["enabled"], rule["by"]) == (
        "team/**", "*", "stable", True, "admin",
    )  # fmt: skip
    heads, row = desk.does("retention list")
    assert heads.split() == ["RULE", "STATE", "BY", "SINCE", "UUID"]
    assert "in force" in row
    assert desk.json(f"retention remove {rule['uuid']}")["removed"] is True
    assert desk.refused(f"retention remove {rule['uuid']}") == (1, f"no such rule: {rule['uuid']}")
    assert desk.does("retention list") == ["none"]


def test_the_same_repositories_and_tags_have_one_rule(desk: Desk) -> None:
    first = desk.json("retention add team/** --last 2")
    second = desk.json("retention add team/** --last 3 --disabled")
    assert first["uuid"] == second["uuid"]
    assert [(each["keeps"], each["enabled"]) for each in desk.json("retention list")] == [({"last": 3}, False)]
    desk.does("retention add team/** --last 1 --tags v*")
    assert len(desk.json("retention list")) == 2


def test_a_preview_tells_what_becomes_of_each_tag_and_changes_nothing(desk: Desk) -> None:
    assert desk.does("retention preview team/app") == ["none"]
    told = {
        each["tag"]: (each["stays"], each["reason"])
        for each in desk.json("retention preview team/app --minors 1")["tags"]
    }
    assert told == {
        "1.0.0": (False, "no rule keeps it"),
        "1.0.1": (False, "no rule keeps it"),
        "1.1.0": (True, "it is the newest patch of one of the last 1 minor versions"),
        "latest": (True, "no rule looks at it"),
    }
    rule = desk.json("retention add team/** --last 1")
    (gone, *_) = desk.json("retention preview team/app")["tags"]
    assert (gone["tag"], gone["stays"], gone["rule"]) == ("1.0.0", False, rule["uuid"])
    assert [line.split()[:2] for line in desk.does("retention preview team/app")][1:] == [
        ["goes", "1.0.0"], ["goes", "1.0.1"], ["stays", "1.1.0"], ["goes", "latest"],
    ]  # fmt: skip
    assert desk.refused("retention preview team/none")[0] == 1


def test_a_run_ends_what_no_rule_keeps_and_it_comes_back(desk: Desk) -> None:
    desk.does("retention add team/** --last 1")
    assert desk.does("retention run") == ["3 tags and 3 manifests ended"]
    assert desk.json("retention run") == {"tags": 0, "manifests": 0, "paused": None}
    desk.does("tag restore team/app latest")
    assert [each["tag"] for each in desk.json("retention preview team/app")["tags"]] == ["1.1.0", "latest"]


def test_a_run_while_the_collector_is_paused_ends_nothing_and_says_why(desk: Desk) -> None:
    desk.does("retention add team/** --last 1")
    desk.does("gc pause --reason backup")
    ended, paused = desk.does("retention run")
    assert ended == "0 tags and 0 manifests ended"
    assert paused.startswith("the collector is paused: by admin, ")
    assert paused.endswith(": backup")


def test_manifests_without_a_tag_that_go_are_told_of(desk: Desk) -> None:
    told = desk.does("retention preview team/app --untagged-after 1ms")
    assert told[-2] == "manifests that go:"
    assert told[-1].startswith("  sha256:")
    (gone,) = desk.json("retention preview team/app --untagged-after 1ms")["manifests"]
    assert gone["reason"] == "it has had no tag for 0.001s"
    desk.does("retention add team/** --untagged-after 1ms")
    assert desk.does("retention run") == ["0 tags and 1 manifest ended"]


@pytest.mark.parametrize(
    "options",
    ["", "--keep-manifests", "--last 0", "--pushed-within 0s", "--minors x", "--last 1 --tags a/b", "--like **"],
)
def test_a_rule_that_says_nothing_or_nonsense_ends_with_2(desk: Desk, options: str) -> None:
    assert desk(f"retention add team/** {options}").exit_code == 2


def test_immutable_tags_are_made_listed_explained_and_taken_back(desk: Desk) -> None:
    assert desk("immutable explain team/app 1.0.0").exit_code == 0
    given = desk.json("immutable add team/** --except", "latest dev-*")
    assert (given["tags"], given["exceptions"]) == ("*", "dev-* latest")
    result = desk("immutable explain team/app 1.0.0")
    assert (result.exit_code, result.stdout) == (
        1, "team/app:1.0.0 is immutable: * of team/** but dev-* latest cannot change\n",
    )  # fmt: skip
    assert desk.does("immutable explain team/app latest") == ["team/app:latest can change"]
    assert desk.json("immutable list")[0]["uuid"] == given["uuid"]
    desk.does(f"immutable remove {given['uuid']}")
    assert desk.does("immutable list") == ["none"]


def test_retention_never_takes_an_immutable_tag(desk: Desk) -> None:
    desk.does("immutable add team/** --tags 1.*")
    desk.does("retention add team/** --pushed-within 1ms")
    assert desk.does("retention run") == ["1 tag and 1 manifest ended"]


def test_an_immutable_tag_is_not_restored_to_what_it_was(desk: Desk) -> None:
    desk.does("immutable add team/**")
    assert desk.refused("tag restore team/app latest")[0] == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("immutable add team//app", "not a pattern of repository names: team//app"),
        ("immutable add team/app --tags a/b", "not a pattern of tags: a/b"),
        ("retention add team/app --last 1 --except a/b", "not a pattern of tags: a/b"),
    ],
)
def test_a_pattern_that_is_none_is_named_once(desk: Desk, line: str, why: str) -> None:
    assert desk.refused(line) == (2, why)
