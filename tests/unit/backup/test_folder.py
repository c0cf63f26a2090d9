"""`registry.backup.folder`: what is a backup, what is none, and where none may be written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.backup.folder import FORMAT, BackupFolder, BackupInvalid, FolderUnfit, Whole
from registry.core.facts import ObjectKey
from registry.storage.layout import KeyInvalid, new_key
from tests.unit.backup.backups import INSTANCE

WHOLE = Whole(INSTANCE, "2026-01-01T00:00:00+00:00", "0002", "facts-20260101T000000.000000Z.db", "sha256:", {}, 0, 0, 0,
              has_key=False)  # fmt: skip


def test_what_is_written_is_read() -> None:
    assert Whole.parse(WHOLE.document(), "here") == WHOLE


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": 1}', b'{"format": 1, "instance": "x"}'])
def test_a_document_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(BackupInvalid, match="here"):
        Whole.parse(content, "here")


def test_a_later_format_is_refused_by_its_number() -> None:
    document = json.dumps({"format": FORMAT + 1, "who": "knows"}).encode()
    with pytest.raises(BackupInvalid, match="format 2, this program knows 1"):
        Whole.parse(document, "here")


def test_facts_outside_of_the_folder_are_refused() -> None:
    document = json.loads(WHOLE.document()) | {"facts": "../registry.db"}
    with pytest.raises(BackupInvalid, match="cannot be its own"):
        Whole.parse(json.dumps(document).encode(), "here")


def test_a_folder_without_the_document_holds_no_backup(place: Path) -> None:
    assert BackupFolder(place).find() is None
    assert BackupFolder(place / "absent").find() is None


@pytest.mark.parametrize("name", ["layout.json", "registry.db", "photos", "blobs", "key"])
def test_nothing_is_written_beside_what_is_no_backup(place: Path, name: str) -> None:
    (place / name).write_text("mine")
    with pytest.raises(FolderUnfit, match=name), BackupFolder(place).writing(INSTANCE):
        pass
    assert [each.name for each in place.iterdir()] == [name]


def test_the_root_of_a_disk_will_do(place: Path) -> None:
    (place / "lost+found").mkdir()
    with BackupFolder(place).writing(INSTANCE) as holder:
        assert holder


def test_two_do_not_write_at_once_and_the_next_goes_by_the_same_name(place: Path) -> None:
    folder = BackupFolder(place)
    with folder.writing(INSTANCE) as first, pytest.raises(FolderUnfit, match="under way"), folder.writing(INSTANCE):
        pass
    with BackupFolder(place).writing(INSTANCE) as second:
        assert second == first


def test_an_object_is_there_with_all_its_bytes_or_not_at_all(place: Path) -> None:
    folder, key = BackupFolder(place), new_key()

    def breaking() -> Iterator[bytes]:
        yield b"half"
        raise InterruptedError

    with pytest.raises(InterruptedError):
        folder.put(key, breaking())
    assert not folder.has(key, 4)
    assert not [each for each in place.rglob("*") if each.is_file()]
    folder.put(key, iter([b"half", b" and half"]))
    assert folder.has(key, 13)
    assert not folder.has(key, 4)


def test_no_key_leads_out_of_the_folder(place: Path) -> None:
    with pytest.raises(KeyInvalid):
        BackupFolder(place).path(ObjectKey("blobs/../../etc/passwd"))


def test_what_a_killed_writer_left_goes_with_the_next_one(place: Path) -> None:
    folder, key = BackupFolder(place), new_key()
    with folder.writing(INSTANCE):
        folder.put(key, iter([b"kept"]))
    (place / ".facts-20260101T000000.000000Z.db").touch()
    (folder.path(key).parent / ".half").touch()
    with folder.writing(INSTANCE):
        assert not list(place.glob(".facts*"))
        assert folder.prune(WHOLE, lambda _: {str(key)}) == 0
    assert [each.name for each in place.rglob(".*") if each.is_file()] == []
    assert folder.has(key, 4)
