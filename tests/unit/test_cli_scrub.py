"""The verbs of scrubbing, over a registry's folder."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from registry import app
from registry.config import Settings
from registry.core.facts import Caller
from registry.core.uploads import UploadService
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName
from registry.storage.hashing import hashes
from registry.storage.layout import LAYOUT_FILE, new_key
from tests.unit.cli_people.desk import Desk

DATA = bytes(range(256)) * 40
DIGEST = Digest.of(DATA)
APP = RepositoryName("team/app")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A registry with one blob in the store and one in the database."""
    app.prepare(Settings(data=tmp_path))
    desk = Desk(tmp_path)
    push(desk)
    return desk


def push(desk: Desk) -> None:
    settings = Settings(data=desk.data)
    with desk.facts() as facts:
        uploads = UploadService(
            facts,
            app.open_store(settings),
            hashes(),
            lambda: "a session",
            new_key,
            settings.lease,
            settings.upload_expiry,
        )
        admin = facts.observe(lambda tx: tx.accounts.find("admin"))
        assert admin is not None
        uploads.put_small(APP, None, admin, Digest.of(b"small"), b"small")
        send(uploads, admin)


def send(uploads: UploadService, admin: Caller) -> None:
    reception = uploads.receive(APP, uploads.begin(APP, admin), admin, None)
    reception.append([DATA])
    reception.commit(DIGEST, admin)
    reception.close()


def flip(desk: Desk) -> None:
    (file,) = (each for each in desk.data.glob("blobs/*/*") if each.is_file())
    file.write_bytes(b"X" + DATA[1:])


def age(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.data / "registry.db")) as database, database:
        database.execute("UPDATE blob SET verified_at = 1")


def test_what_is_whole_is_read_when_it_is_due(desk: Desk) -> None:
    assert desk.does("scrub run")[0] == "read: 0 objects and 1 content, 5 bytes"
    age(desk)
    assert desk.does("scrub run") == ["read: 1 object and 0 contents, 10.0 KiB", "nothing is damaged"]
    assert desk.does("scrub run")[0] == "read: 0 objects and 0 contents, 0 bytes"
    assert desk.json("scrub run --all")["looked_at"] == {"objects": 1, "contents": 1, "bytes": len(DATA) + 5}


def test_damage_is_told_with_whom_it_hits_and_ends_with_1(desk: Desk) -> None:
    flip(desk)
    result = desk("scrub run --all")
    assert result.exit_code == 1
    assert f"marked: object-bytes {DIGEST}: " in result.stdout
    assert result.stdout.splitlines()[1] == "  in team/app"
    assert result.stdout.endswith("damaged: 1; push them again\n")
    assert ("blob.damaged", "admin", str(DIGEST)) in desk.events()
    again = desk("scrub run --all --json")
    assert (again.exit_code, json.loads(again.stdout)["found"][0]["outcome"]) == (1, "left")


def test_the_status_tells_what_is_damaged_and_what_was_verified(desk: Desk) -> None:
    lines = desk.does("scrub status")
    assert "objects: 1 (10.0 KiB), verified within 30d: 1 (10.0 KiB)" in lines
    assert lines[-2:] == ["nothing was read yet", "damaged: 0 blobs and 0 manifests"]
    flip(desk)
    desk("scrub run --all")
    lines = desk.does("scrub status")
    assert lines[-2].startswith(f"blob {DIGEST} (10.0 KiB): not served since ")
    assert lines[-1] == "  in team/app"
    document = desk.json("scrub status")
    assert document["damaged"][0]["repositories"] == ["team/app"]
    assert (document["damaged_blobs"], document["last"]["damaged"]) == (1, 1)


def test_in_a_store_that_is_another_s_nothing_is_marked(desk: Desk) -> None:
    layout = json.loads((desk.data / LAYOUT_FILE).read_text())
    (desk.data / LAYOUT_FILE).write_text(json.dumps(layout | {"instance": "00000000-0000-4000-8000-000000000000"}))
    assert desk.refused("scrub run --all")[0] == 1
    (desk.data / LAYOUT_FILE).unlink()
    assert desk.refused("scrub run --all")[0] == 2
    assert desk.json("scrub status")["damaged_blobs"] == 0


@pytest.mark.parametrize("rate", ["0", "fast", "-1"])
def test_a_rate_is_a_size_of_at_least_a_byte(desk: Desk, rate: str) -> None:
    assert desk("scrub run --rate", rate).exit_code == 2
