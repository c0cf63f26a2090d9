"""The verbs that look back, over a registry's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry import app
from registry.config import Settings
from registry.core.manifests import ManifestService
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag
from tests.unit.cli_people.desk import Desk

APP, V1 = RepositoryName("team/app"), Tag("v1")
INDEX = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]%b}'
FIRST, SECOND = INDEX % b"", INDEX % b',"annotations":{"a":"b"}'


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A tag that was moved once, and then deleted with its manifest."""
    app.prepare(Settings(data=tmp_path))
    desk = Desk(tmp_path)
    for content in (FIRST, SECOND):
        desk.push("team/app", "v1", content)
    with desk.facts() as facts:
        settings = Settings()
        manifests = ManifestService(facts, settings.lease, settings.undo_window, sparse=False)
        admin = facts.observe(lambda tx: tx.accounts.find("admin"))
        assert admin is not None
        manifests.delete(APP, Digest.of(SECOND), admin)
    return desk


def test_a_tags_past_is_listed_latest_first(desk: Desk) -> None:
    heads, *rows = desk.does("tag history team/app v1")
    assert heads.split() == ["FROM", "UNTIL", "DIGEST", "SET", "BY", "ENDED", "BY"]
    assert [row.split()[4] for row in rows] == [str(Digest.of(SECOND)), str(Digest.of(FIRST))]
    [latest, first] = desk.json("tag history team/app v1")
    assert (latest["by"], latest["ended_by"]) == ("admin", "admin")
    assert [each["digest"] for each in desk.json("tag history team/app v1", "--at", first["since"])] == [
        first["digest"]
    ]
    assert desk.json("tag history team/app v1 --at 2020-01-01") == []


def test_a_tag_comes_back_with_its_manifest(desk: Desk) -> None:
    assert desk.does("tag restore team/app v1") == [f"team/app:v1 points to {Digest.of(SECOND)}"]
    assert desk.json("tag restore team/app v1")["digest"] == str(Digest.of(FIRST))


def test_a_manifest_comes_back_by_its_digest(desk: Desk) -> None:
    digest = str(Digest.of(SECOND))
    assert desk.does(f"manifest restore team/app {digest}") == [f"team/app@{digest} is served again"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tag restore team/app never", "the tag has no such past"),
        ("tag history never/was v1", "repository name not known"),
        (f"manifest restore team/app {Digest.of(b'else')}", "it was never here, or was collected"),
    ],
)
def test_what_was_never_there_is_told_in_a_line(desk: Desk, line: str, words: str) -> None:
    status, told = desk.refused(line)
    assert status == 1
    assert words in told


def test_what_is_no_digest_is_called_so(desk: Desk) -> None:
    why = "md5:ab: not a digest, or of an algorithm that is not known here"
    assert desk.refused("manifest restore team/app md5:ab") == (1, why)
