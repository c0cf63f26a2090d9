"""The verbs of the collector, over a registry's folder."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from registry import app
from registry.config import Settings
from registry.core.uploads import UploadService
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName
from registry.storage.hashing import hashes
from registry.storage.layout import new_key
from registry.storage.memory import MemoryStore
from tests.unit.cli_people.desk import Desk

BLOB = b"nobody names it"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A registry with one blob that no manifest names, whose lease is over."""
    app.prepare(Settings(data=tmp_path))
    desk = Desk(tmp_path)
    with desk.facts() as facts:
        settings = Settings()
        uploads = UploadService(
            facts, MemoryStore(), hashes(), lambda: "", new_key, settings.lease, settings.upload_expiry
        )
        admin = facts.observe(lambda tx: tx.accounts.find("admin"))
        assert admin is not None
        uploads.put_small(RepositoryName("team/app"), None, admin, Digest.of(BLOB), BLOB)
    return desk


def end_the_lease(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.data / "registry.db")) as database, database:
        database.execute("UPDATE link SET lease_until = 1")
        database.execute("UPDATE review SET due_at = 1")


def test_the_plan_tells_why_and_the_status_how_many(desk: Desk) -> None:
    [line, sums] = desk.does("gc plan")
    assert line.startswith(f"later: blob {Digest.of(BLOB)} of team/app: no manifest references it, and its lease ends ")
    assert sums == "goes 0, stays 0, later 1; 0 bytes would be free"
    [running, waiting, objects, sessions, following, last] = desk.does("gc status")
    assert (running, waiting) == ("not paused", "1 candidate waiting, 0 of them due")
    assert (objects, sessions) == ("0 objects that nobody names, 0 bytes", "0 upload sessions open, 0 bytes")
    assert following.startswith("next: 20")
    assert last == "nothing has gone yet"
    document = desk.json("gc plan")
    assert (document["later"], document["candidates"][0]["repository"]) == (1, "team/app")


def test_what_is_due_goes_when_it_is_told_to(desk: Desk) -> None:
    end_the_lease(desk)
    assert desk.does("gc plan")[-1] == "goes 1, stays 0, later 0; 15 bytes would be free"
    assert "next: with the next round, of which there is one every 1m" in desk.does("gc status")
    collected = desk.json("gc run")
    assert (collected["manifests"], collected["links"], collected["blobs"], collected["paused"]) == (0, 1, 1, None)
    assert desk.does("gc plan") == ["goes 0, stays 0, later 0; 0 bytes would be free"]
    assert desk.does("gc status")[-1].endswith(" s: links 1, blobs 1")
    assert desk.json("gc status")["runs"][0]["counts"]["blobs"] == 1
    assert desk.does("gc run")[0].startswith("0 repositories, 0 manifests, 0 links and 0 blobs went")


def test_a_rehearsal_tells_of_what_is_due_and_changes_nothing(desk: Desk) -> None:
    assert desk.does("gc run --dry-run") == ["goes 0, stays 0, later 0; 0 bytes would be free"]
    end_the_lease(desk)
    for _ in range(2):
        [line, sums] = desk.does("gc run --dry-run")
        assert line == f"goes: blob {Digest.of(BLOB)} of team/app: no manifest references it, and its lease is over"
        assert sums == "goes 1, stays 0, later 0; 15 bytes would be free"


def test_the_plan_tells_of_sessions_and_objects_with_their_time(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.data / "registry.db")) as database, database:
        database.execute("INSERT INTO object (key, state, size, changed_at) VALUES ('blobs/aa/x', 'doomed', 5, 1)")
        database.execute(
            "INSERT INTO upload (uuid, repository_id, principal_id, algorithm, offset, created_at, expires_at)"
            " SELECT 'u-1', repository.id, principal.id, 'sha256', 7, 1, 60000001 FROM repository, principal"
            " WHERE principal.name = 'admin'"
        )
    _, session, doomed, sums = desk.does("gc plan")
    assert sums.startswith("goes 0, stays 0, later 3;")
    assert session == "later: upload u-1 of team/app: it is idle, and expires 1970-01-01 00:01"
    assert doomed == "later: object blobs/aa/x: nobody names it, and it is deleted 1970-01-01 00:15"
    told = desk.json("gc status")
    assert (told["doomed"]["bytes"], told["uploads"]["bytes"]) == (5, 7)
    assert [each["kind"] for each in desk.json("gc plan")["candidates"]] == ["blob", "upload", "object"]


def test_a_paused_collector_says_why_and_does_nothing(desk: Desk) -> None:
    end_the_lease(desk)
    [paused] = desk.does("gc pause --reason backup")
    assert paused.startswith("paused: by admin, ")
    assert paused.endswith(": backup")
    assert desk.does("gc status")[0] == paused
    assert desk.json("gc run")["blobs"] == 0
    assert desk.does("gc run") == [paused]
    [told] = desk.does("gc resume")
    assert told.startswith("it goes on; it was paused by admin, ")
    assert desk.does("gc resume") == ["it was not paused"]
    assert desk.json("gc run")["blobs"] == 1
