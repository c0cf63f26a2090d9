"""The collector over HTTP: how it stands, its pause, what it will do and did, and a round for who asks for one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.client import RegistryClient
from tests.support.images import Blob
from tests.unit.admin.site import Person, Site, new_project

WITHIN = 60.0
"""Seconds for what takes two."""


@pytest.fixture
def running(anywhere: Site) -> Iterator[Site]:
    """A registry whose collector is not paused, before and after."""
    anywhere.admin.put("/collector", {"is_paused": False})
    yield anywhere
    anywhere.admin.put("/collector", {"is_paused": False})


def push_blobs(site: Site, count: int) -> list[str]:
    """Blobs that no manifest names; the project's name begins each reference to them."""
    project = new_project()
    with site.client((site.admin.name, site.admin.password)) as http:
        blobs = [Blob(f"{project} {number}".encode()) for number in range(count)]
        for blob in blobs:
            RegistryClient(http).push_blob(f"{project}/app", blob)
    return [str(blob.digest) for blob in blobs]


def test_it_stands_and_tells_what_waits(running: Site) -> None:
    before = running.admin.get("/collector").json()
    push_blobs(running, 2)
    with running.client((running.admin.name, running.admin.password)) as http:
        RegistryClient(http).start_upload(f"{new_project()}/app")
    told = running.admin.get("/collector").json()
    assert told["waiting"] == before["waiting"] + 2
    assert told["uploads"]["count"] == before["uploads"]["count"] + 1
    assert (told["paused"], told["due"], told["doomed"]["count"]) == (None, 0, 0)
    assert told["next"] is not None


def test_the_plan_comes_by_the_page_and_says_why(running: Site) -> None:
    digests = push_blobs(running, 3)
    found, after = list[dict[str, object]](), ""
    while True:
        page = running.admin.get("/collector/plan", limit=2, after=after).json()
        assert len(page["items"]) <= 2
        found += page["items"]
        if page["next"] is None:
            break
        after = page["next"]
    ours = [each for each in found if each["digest"] in digests]
    assert [each["digest"] for each in ours] == digests
    assert {each["fate"] for each in ours} == {"later"}
    assert all(str(each["reason"]).startswith("no manifest references it, and its lease ends ") for each in ours)


def test_a_pause_says_who_and_why_and_the_first_reason_stays(running: Site) -> None:
    told = running.admin.put("/collector", {"is_paused": True, "reason": "moving house"})
    assert told.status_code == 200
    why = told.json()["paused"]
    assert why.startswith("by admin, ")
    assert why.endswith(": moving house")
    assert running.admin.put("/collector", {"is_paused": True, "reason": "again"}).json()["paused"] == why
    refused = running.admin.post("/collector/runs")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:entrepot:problem:collector-paused")
    assert running.admin.put("/collector", {"is_paused": False}).json()["paused"] is None


def test_of_two_who_change_it_the_one_who_saw_the_former_is_refused(running: Site) -> None:
    seen = running.admin.get("/collector").headers["etag"]
    assert running.admin.put("/collector", {"is_paused": True}, if_match=seen).status_code == 200
    assert running.admin.put("/collector", {"is_paused": False}, if_match=seen).status_code == 412
    now = running.admin.get("/collector").headers["etag"]
    assert running.admin.put("/collector", {"is_paused": True}, if_match=seen).status_code == 412
    assert running.admin.put("/collector", {"is_paused": False}, if_match=now).status_code == 200


def test_a_round_that_is_asked_for_is_made_soon_and_told_of(running: Site) -> None:
    before = running.admin.get("/collector/runs", limit=1).json()["items"]
    asked = running.admin.post("/collector/runs")
    assert (asked.status_code, asked.json()["is_wanted"]) == (202, True)
    deadline = time.monotonic() + WITHIN
    while running.admin.get("/collector").json()["is_wanted"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    [run] = running.admin.get("/collector/runs", limit=1).json()["items"]
    assert run not in before
    assert (run["kind"], run["counts"]["blobs"]) == ("collected", 0)
    following = running.admin.get("/collector/runs", limit=1, after=str(run["id"])).json()["items"]
    assert following == before


def test_it_is_for_administrators(alice: Person) -> None:
    answers = [alice.get(path) for path in ("/collector", "/collector/plan", "/collector/runs")]
    answers += [alice.put("/collector", {"is_paused": True}), alice.post("/collector/runs")]
    assert {answer.status_code for answer in answers} == {403}


@pytest.mark.parametrize("after", ["x", "1 1 blob", "1 1 cat sha256:" + 64 * "0", "-1 1 blob sha256:" + 64 * "0"])
def test_what_no_page_of_the_plan_ends_with_is_refused(admin: Person, after: str) -> None:
    assert admin.get("/collector/plan", after=after).status_code == 422


@pytest.mark.parametrize("after", ["x", "-1", "1.5", 30 * "9", "\N{SUPERSCRIPT TWO}"])
def test_what_no_page_of_runs_ends_with_is_refused(admin: Person, after: str) -> None:
    assert admin.get("/collector/runs", after=after).status_code == 422
