"""The verbs of whole repositories, over a registry's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry import app
from registry.config import Settings
from registry.core.manifests import ManifestService
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName
from tests.unit.cli_people.desk import Desk
from tests.unit.test_cli_undo import FIRST, SECOND

NOBODYS = "8eeb9ed7-737b-48ac-b533-a14ad3ec3487"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Two repositories with the same manifest, of which one has another as well."""
    app.prepare(Settings(data=tmp_path))
    desk = Desk(tmp_path)
    desk.push("team/app", "v1", FIRST)
    desk.push("team/app", "v1", SECOND)
    desk.push("team/other", "v1", FIRST)
    return desk


def test_repositories_are_listed_and_shown(desk: Desk) -> None:
    assert desk.does("repo list") == ["team/app", "team/other"]
    shown = desk.json("repo show team/app")
    assert shown == {
        "name": "team/app",
        "tags": 1,
        "manifests": 2,
        "deleted_manifests": 0,
        "size": len(FIRST) + len(SECOND),
        "own": len(SECOND),
        "shared_with": [],
    }
    assert f"own        {len(SECOND)} bytes that no other repository holds" in desk.does("repo show team/app")


def test_a_deleted_repository_is_listed_apart_and_comes_back(desk: Desk) -> None:
    [told] = desk.does("repo delete team/app")
    assert told.startswith("team/app was deleted, and can be restored until ")
    assert desk.does("repo list") == ["team/other"]
    [listed] = desk.json("repo list --deleted")
    assert (listed["name"], listed["deleted"] < listed["restorable_until"]) == ("team/app", True)
    heads, row = desk.does("repo list --deleted")
    assert (heads.split()[0], row.split()[0], row.split()[-1]) == ("NAME", "team/app", listed["uuid"])
    assert desk.does("repo restore team/app") == ["team/app is served again"]
    assert desk.does("repo list --deleted") == ["none"]
    [latest, _] = desk.json("tag history team/app v1")
    assert latest["digest"] == str(Digest.of(SECOND))


def test_of_several_that_had_the_name_one_is_chosen(desk: Desk) -> None:
    first = desk.json("repo delete team/app")["uuid"]
    desk.push("team/app", "v1", FIRST)
    second = desk.json("repo delete team/app")["uuid"]
    assert desk.json("repo restore team/app --as team/newest")["uuid"] == second
    assert desk.json("repo restore team/app --uuid", first)["name"] == "team/app"


def test_the_collectors_plan_tells_when_a_deleted_repository_goes(desk: Desk) -> None:
    deleted = desk.json("repo delete team/app")
    [planned] = desk.json("gc plan")["candidates"]
    assert (planned["kind"], planned["name"], planned["repository"]) == ("repository", deleted["uuid"], "team/app")
    assert (planned["when"], planned["frees"]) == (deleted["restorable_until"], len(SECOND))
    desk.does("repo purge team/app --yes")
    [line, _] = desk.does("gc plan")
    assert line.startswith(f"later: repository {deleted['uuid']} of team/app: it is deleted, and goes 20")
    assert desk.json("gc run")["repositories"] == 1
    assert desk.json("gc plan")["candidates"] == []


def test_a_purged_repository_is_gone_for_good(desk: Desk) -> None:
    desk.does("repo delete team/app")
    status, told = desk.refused("repo purge team/app")
    assert (status, told) == (2, "say --yes where nobody can be asked")
    assert desk.json("repo purge team/app --yes")["name"] == "team/app"
    assert desk.json("repo list --deleted") == []
    desk.does("gc run")
    assert ("repository.purge", "admin", "") in desk.events()


def test_a_deleted_manifest_is_listed_and_purged(desk: Desk) -> None:
    assert desk.does("manifest deleted team/app") == ["none"]
    digest = Digest.of(SECOND)
    with desk.facts() as facts:
        settings = Settings()
        admin = facts.observe(lambda tx: tx.accounts.find("admin"))
        assert admin is not None
        manifests = ManifestService(facts, settings.lease, settings.undo_window, sparse=False)
        manifests.delete(RepositoryName("team/app"), digest, admin)
    [listed] = desk.json("manifest deleted team/app")
    assert (listed["digest"], listed["size"]) == (str(digest), len(SECOND))
    assert desk.does("manifest deleted team/app")[1].split()[0] == str(digest)
    assert desk.refused(f"manifest purge team/app {digest}")[0] == 2
    assert "was purged" in desk.does(f"manifest purge team/app {digest} --yes")[0]
    assert desk.json("manifest deleted team/app") == []
    assert desk.json("gc run")["manifests"] == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("repo show never/was", "repository name not known"),
        ("repo delete never/was", "repository name not known"),
        ("repo restore team/app", "no such deleted repository"),
        (f"repo restore team/app --uuid {NOBODYS}", "no such deleted repository"),
        (f"repo purge team/app --uuid {NOBODYS} --yes", "no such deleted repository"),
        (f"manifest purge team/app {Digest.of(FIRST)} --yes", "it is not deleted"),
        (f"manifest purge team/app {Digest.of(b'else')} --yes", "it was never here, or was collected"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(desk: Desk, line: str, words: str) -> None:
    status, told = desk.refused(line)
    assert status == 1
    assert words in told


def test_a_uuid_of_another_name_is_not_taken_for_this_one(desk: Desk) -> None:
    uuid = desk.json("repo delete team/other")["uuid"]
    assert desk.refused("repo restore team/app --uuid", uuid)[0] == 1
    assert desk.does("repo list") == ["team/app"]


def test_a_name_that_is_taken_is_told_of(desk: Desk) -> None:
    desk.does("repo delete team/app")
    desk.push("team/app", "v1", FIRST)
    told = "team/app: there is one of this name: restore it under another"
    assert desk.refused("repo restore team/app") == (1, told)
