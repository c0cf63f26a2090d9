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
    assert sums == "0 goes, 0 stays, 1 later"
    assert desk.does("gc status") == ["not paused", "1 candidates wait, 0 of them are due", "nothing has gone yet"]
    document = desk.json("gc plan")
    assert (document["later"], document["candidates"][0]["repository"]) == (1, "team/app")


def test_what_is_due_goes_when_it_is_told_to(desk: Desk) -> None:
    end_the_lease(desk)
    assert desk.does("gc plan")[-1] == "1 goes, 0 stays, 0 later"
    assert desk.json("gc run") == {"manifests": 0, "links": 1, "blobs": 1, "kept": 0}
    assert desk.does("gc plan") == ["0 goes, 0 stays, 0 later"]
    assert desk.does("gc status")[-1].endswith(" 0 manifests, 1 links and 1 blobs went")
    assert desk.does("gc run")[0].startswith("0 manifests, 0 links and 0 blobs went")


def test_a_paused_collector_says_why_and_does_nothing(desk: Desk) -> None:
    end_the_lease(desk)
    with desk.facts() as facts:
        facts.transact(lambda tx: tx.settings.put("collector_paused", "restored from a backup"))
    assert desk.does("gc status")[0] == "paused: restored from a backup"
    assert desk.json("gc run")["blobs"] == 0
