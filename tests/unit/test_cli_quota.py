"""The verbs of quotas and of projects, over a registry's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry import app
from registry.config import Settings
from registry.core.quota import Holder, Limit, Resource, Scope
from registry.core.quota_service import QuotaService
from registry.core.refusals import Changed
from tests.unit.cli_people.desk import Desk
from tests.unit.metadata.databases import rows

INDEX = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
USED = len(INDEX)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """One project, of one repository with one tag, that `admin` has pushed."""
    app.prepare(Settings(data=tmp_path))
    desk = Desk(tmp_path)
    desk.push("team/app", "v1", INDEX)
    return desk


def cells(lines: list[str]) -> list[list[str]]:
    return [line.split() for line in lines]


def test_what_is_set_is_shown_beside_what_there_is(desk: Desk) -> None:
    told = desk.does("quota set team --bytes 10GiB --soft-bytes 8GiB --tags 100")
    assert told == desk.does("quota show team")
    assert told[0] == "project team:"
    assert cells(told)[1:] == [
        ["USED", "HARD", "SOFT"],
        ["bytes", str(USED), "bytes", "10.0", "GiB", "8.0", "GiB"],
        ["repositories", "1", "-", "-"],
        ["tags", "1", "100", "-"],
        ["uploads", "0", "-", "-"],
    ]
    assert desk.json("quota show team")["resources"]["bytes"] == {
        "used": USED, "hard": 10 << 30, "soft": 8 << 30, "is_own": True,
    }  # fmt: skip


def test_what_no_option_names_stays_and_none_takes_a_bound_away(desk: Desk) -> None:
    desk.does("quota set team --bytes 10GiB --soft-bytes 8GiB --tags 100")
    desk.does("quota set team --soft-bytes none --tags none --uploads 5")
    shown = desk.json("quota show team")["resources"]
    assert (shown["bytes"]["hard"], shown["bytes"]["soft"]) == (10 << 30, None)
    assert (shown["tags"]["hard"], shown["tags"]["is_own"]) == (None, False)
    assert shown["uploads"]["hard"] == 5


def test_what_there_is_no_room_for_is_not_restored_and_one_line_says_why(desk: Desk) -> None:
    desk.push("team/app", "v2", INDEX)
    desk.push("team/other", "v1", INDEX)
    desk.does("repo delete team/other")
    desk.does("quota set team --tags 2 --repositories 1")
    one_more = "project team has 1 of 1 repository, 1 repository more needed"
    assert desk.refused("repo restore team/other") == (1, f"quota exceeded: {one_more}")
    desk.does("quota set team --repositories 2")
    one_more = "project team has 2 of 2 tags, 1 tag more needed"
    assert desk.refused("repo restore team/other") == (1, f"quota exceeded: {one_more}")
    desk.does("quota set team --tags 3")
    desk.does("repo restore team/other")


def test_what_all_may_have_holds_for_who_has_nothing_of_its_own(desk: Desk) -> None:
    desk.does("quota set project:* --bytes 1MiB")
    desk.does("quota set user:* --repositories 3")
    assert ["bytes", str(USED), "bytes", "1.0", "MiB", "-", "as", "all"] in cells(desk.does("quota show team"))
    assert desk.json("quota show user:admin")["resources"]["repositories"] == {
        "used": 1, "hard": 3, "soft": None, "is_own": False,
    }  # fmt: skip
    desk.does("quota set team --bytes unlimited")
    assert desk.json("quota show team")["resources"]["bytes"]["hard"] is None
    projects, users = desk.json("quota show")
    assert (projects["name"], projects["resources"]["bytes"]["hard"]) == ("*", 1 << 20)
    assert (users["scope"], users["resources"]["repositories"]["hard"]) == ("user", 3)


def test_a_project_is_owned_by_who_pushed_it_first_until_somebody_says_otherwise(desk: Desk) -> None:
    assert cells(desk.does("project list")) == [["NAME", "USED", "OWNER"], ["team", str(USED), "bytes", "admin"]]
    assert desk.does("project owner team --none") == ["team is owned by nobody"]
    assert desk.json("project list") == [{"name": "team", "used": USED, "owner": None}]
    assert desk.json("quota show user:admin")["resources"]["bytes"]["used"] == 0
    assert desk.does("project owner team admin") == ["team is owned by admin"]
    assert ("project.own", "admin", "project team") in desk.events()


def test_what_a_project_is_charged_for_adds_up(desk: Desk) -> None:
    shown = desk.json("project show team")
    assert shown["by_reason"] == {"served": USED, "undo": 0, "lease": 0, "nothing": 0}
    assert shown["by_repository"] == {"team/app": USED}
    assert (shown["used"], shown["reserved"], shown["shared"]) == (USED, 0, 0)
    desk.does("repo delete team/app")
    assert desk.json("project show team")["by_reason"]["undo"] == USED
    assert f"  held by undo  {USED} bytes" in desk.does("project show team")


def test_recomputing_finds_nothing_and_sets_right_what_somebody_has_spoilt(desk: Desk) -> None:
    assert desk.does("quota recompute") == ["every project is charged for what it holds"]
    rows(desk.data / "registry.db", "UPDATE project SET used = 5")
    rows(desk.data / "registry.db", "UPDATE project_content SET links = 7")
    result = desk("quota recompute team")
    assert result.exit_code == 1
    assert "its counter says 5 bytes" not in desk("quota recompute").output
    assert "is charged for 7 links" in result.stdout
    assert desk.json("project list") == [{"name": "team", "used": USED, "owner": "admin"}]


def test_who_sets_something_is_told_of(desk: Desk) -> None:
    desk.does("quota set user:admin --bytes 1KiB --soft-tags 3")
    desk.does("quota set user:admin --bytes 1KiB")
    assert [each for each in desk.events() if each[0] == "quota.put"] == [("quota.put", "admin", "user admin")]
    assert rows(desk.data / "registry.db", "SELECT detail FROM event WHERE action = 'quota.put'") == [
        ("bytes hard 1024, tags soft 3",)
    ]


def test_two_who_set_the_same_do_not_overwrite_each_other(desk: Desk) -> None:
    team = Holder(Scope.PROJECT, "team")
    with desk.facts() as facts:
        service = QuotaService(facts)
        admin = facts.observe(lambda tx: tx.accounts.find("admin"))
        assert admin is not None
        former = service.get(team).allowance.version
        service.put(team, {Resource.TAGS: Limit(3)}, admin, version=former)
        with pytest.raises(Changed):
            service.put(team, {}, admin, version=former)
        service.put(team, {}, admin)
        with pytest.raises(Changed):
            service.put(team, {}, admin, version=7)


def test_a_user_that_is_removed_owns_nothing_and_may_have_nothing(desk: Desk) -> None:
    desk.does("user add alice --no-password")
    desk.does("project owner team alice")
    desk.does("quota set user:alice --bytes 1KiB")
    desk.does("user remove alice")
    assert desk.json("project list")[0]["owner"] is None
    assert rows(desk.data / "registry.db", "SELECT count(*) FROM quota") == [(0,)]


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("quota show never", 1, "never"),
        ("quota show user:never", 1, "never"),
        ("quota set never --bytes 1", 1, "never"),
        ("quota set team --bytes 1 --soft-bytes 2", 2, "soft limit is above its hard one"),
        ("quota set team --bytes 999999999999TiB", 2, "not between 0 and"),
        ("project show never", 1, "never"),
        ("project owner team never", 1, "never"),
        ("quota recompute never", 1, "never"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(desk: Desk, line: str, status: int, words: str) -> None:
    found, told = desk.refused(line)
    assert found == status
    assert words in told


@pytest.mark.parametrize(
    "line",
    [
        "quota set team --tags 1KiB",
        "quota set group:x --tags 1",
        "quota set user: --tags 1",
        "project owner team",
        "quota set team --bytes x",
    ],
)
def test_what_is_typed_wrong_is_told_how_to_type(desk: Desk, line: str) -> None:
    assert desk(line).exit_code == 2
