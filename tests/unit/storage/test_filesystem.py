"""What a folder of files promises beyond the contract: durability in its order, modes, what is absent or damaged."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.core.facts import ObjectKey
from registry.core.ports import ObjectLost
from registry.storage.filesystem import FilesystemStore
from registry.storage.layout import new_key
from tests.unit.storage.conftest import Scene


def test_folders_and_files_are_their_owners_alone(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        scene = Scene(tmp_path / "above" / "data")
        file = scene.path(scene.put(b"secret"))
        beside = file.with_name(file.name[:2] + str(uuid.uuid4())[2:])
        scene.receive(ObjectKey(str(beside.relative_to(scene.root)))).close()
    finally:
        os.umask(umask)
    assert beside.stat().st_mode & 0o777 == 0o600
    folders = [file.parent, file.parent.parent, scene.root, scene.root.parent]
    assert [each.stat().st_mode & 0o777 for each in [file, *folders]] == [0o600, 0o700, 0o700, 0o700, 0o700]


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(0o750)
    FilesystemStore(tmp_path / "data")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o750


def test_a_store_stays_where_it_was_when_the_process_changes_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = FilesystemStore(Path("data"))
    monkeypatch.chdir("/")
    assert store.size(new_key()) is None
    assert (tmp_path / "data" / "blobs").is_dir()


def test_folders_that_another_process_makes_meanwhile_are_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.is_dir
    (tmp_path / "data").mkdir()

    def made_once_asked(path: Path) -> bool:
        was_there = real(path)
        if not was_there:
            path.mkdir()
        return was_there

    monkeypatch.setattr(Path, "is_dir", made_once_asked)
    FilesystemStore(tmp_path / "data")
    assert (tmp_path / "data" / "blobs").is_dir()


# Durability


def test_a_new_store_is_durable_with_all_its_folders(tmp_path: Path, synced: list[str]) -> None:
    FilesystemStore(tmp_path / "above" / "data")
    assert synced == [tmp_path.name, "above", "data", "data"]


def test_a_store_that_another_process_has_just_made_is_made_durable_too(scene: Scene, synced: list[str]) -> None:
    FilesystemStore(scene.root)
    assert synced == ["data"]


def test_sealing_syncs_the_file_before_its_name_and_the_new_folders_name(scene: Scene, synced: list[str]) -> None:
    first = new_key()
    second = ObjectKey(str(first)[:-12] + "ffffffffffff")
    folder = scene.path(first).parent.name
    for key in (first, second):
        with scene.receive(key) as receiver:
            receiver.append([b"bytes"])
            receiver.seal()
    # Of the second one the folder is known to last.
    names = [f"data of {scene.path(key).name}" for key in (first, second)]
    assert synced == [names[0], folder, "blobs", names[1], folder]


def test_a_folder_that_another_process_made_is_made_durable_too(scene: Scene, synced: list[str]) -> None:
    key = new_key()
    scene.path(key).parent.mkdir()
    with scene.receive(key) as receiver:
        receiver.seal()
    assert synced[-1] == "blobs"


def test_the_first_sync_of_an_object_makes_its_name_durable_and_later_ones_its_bytes(
    scene: Scene, synced: list[str]
) -> None:
    key = new_key()
    uuid, folder = scene.path(key).name, scene.path(key).parent.name
    with scene.receive(key) as receiver:
        receiver.append([b"one"])
        receiver.sync()
        assert synced == [f"data of {uuid}", folder, "blobs"]
        receiver.append([b"two"])
        receiver.sync()
    with scene.receive(key, 6) as receiver:
        receiver.sync()
    assert synced[3:] == [f"data of {uuid}", f"data of {uuid}"]


def test_a_folder_that_was_removed_is_made_again_and_durable_again(scene: Scene, synced: list[str]) -> None:
    key = new_key()
    with scene.receive(key) as receiver:
        receiver.seal()
    shutil.rmtree(scene.path(key).parent)
    synced.clear()
    with scene.receive(key) as receiver:
        receiver.append([b"again"])
        receiver.seal()
    assert synced[-1] == "blobs"
    assert scene.path(key).read_bytes() == b"again"


def test_deleting_is_durable_folder_by_folder(scene: Scene, synced: list[str]) -> None:
    keys = [scene.put(b"bytes") for _ in range(3)]
    synced.clear()
    scene.store.delete([*keys, *keys])
    assert sorted(synced) == sorted({scene.path(key).parent.name for key in keys})


def test_a_file_that_cannot_be_synced_is_not_tried_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fail(descriptor: int) -> None:
        asked.append(descriptor)
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    with scene.receive(new_key()) as receiver:
        receiver.append([b"bytes"])
        for _ in range(2):
            with pytest.raises(OSError, match=r"input/output error|earlier write or sync failed"):
                receiver.seal()
    assert len(asked) == 1


def test_only_an_object_that_holds_what_was_appended_is_sealed(scene: Scene) -> None:
    key = new_key()
    with scene.receive(key) as receiver:
        receiver.append([b"bytes"])
        os.truncate(scene.path(key), 4)
        with pytest.raises(ObjectLost):
            receiver.seal()
        with pytest.raises(ObjectLost):
            receiver.content()
    gone = new_key()
    with scene.receive(gone) as receiver:
        receiver.append([b"bytes"])
        scene.path(gone).unlink()
        with pytest.raises(ObjectLost):
            receiver.seal()


# Damage and absence


def test_a_file_cut_short_from_outside_is_lost(scene: Scene) -> None:
    key = scene.put(b"0123456789")
    assert scene.store.pread(key, 0, 4) == b"0123"
    os.truncate(scene.path(key), 5)
    with pytest.raises(ObjectLost):
        scene.store.pread(key, 0, 4)
    assert scene.store.size(key) == 5


def test_a_file_removed_from_outside_is_lost(scene: Scene) -> None:
    key = scene.put(b"0123456789")
    assert scene.store.pread(key, 0, 4) == b"0123"
    scene.path(key).unlink()
    with pytest.raises(ObjectLost):
        scene.store.pread(key, 0, 4)
    assert scene.store.size(key) is None


def test_a_file_put_back_from_a_backup_is_read_at_once(scene: Scene, tmp_path: Path) -> None:
    key = scene.put(b"damaged!!!")
    assert scene.store.pread(key, 0, 10) == b"damaged!!!"
    (tmp_path / "backup").write_bytes(b"restored")
    (tmp_path / "backup").replace(scene.path(key))
    assert scene.store.pread(key, 0, 10) == b"restored"


def test_a_later_receivers_cut_is_no_damage(scene: Scene) -> None:
    key = scene.put(b"0123456789")
    assert scene.store.pread(key, 0, 10) == b"0123456789"
    with scene.receive(key, 4):
        assert scene.store.pread(key, 0, 10) == b"0123"


def test_a_disk_that_cannot_be_read_is_no_lost_object(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    key = scene.put(b"bytes")

    def fail(descriptor: int, length: int, start: int) -> bytes:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(OSError, match="input/output error"):
        scene.store.pread(key, 0, 1)


def test_a_disk_that_is_absent_is_no_lost_object(scene: Scene) -> None:
    key = scene.put(b"bytes")
    (scene.root / "blobs").rename(scene.root / "unmounted")
    operations: list[Callable[[], object]] = [
        lambda: scene.store.size(key),
        lambda: scene.store.open(key),
        lambda: scene.store.pread(key, 0, 1),
        lambda: scene.store.delete([key]),
        lambda: scene.receive(key, 0),
        lambda: scene.receive(key, 5),
    ]
    for operation in operations:
        with pytest.raises(FileNotFoundError):
            operation()


def test_an_object_deleted_while_its_receiver_waits_is_lost(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    key = scene.put(b"bytes")
    real = fcntl.flock

    def deleted_meanwhile(descriptor: int, operation: int) -> None:
        scene.path(key).unlink(missing_ok=True)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", deleted_meanwhile)
    with pytest.raises(ObjectLost):
        scene.receive(key, 0)


# Descriptors


def test_no_descriptor_stays_open_but_the_kept_ones(scene: Scene, descriptors: Callable[[], int]) -> None:
    key = scene.put(b"bytes")
    before = descriptors()
    with scene.receive(key, 5) as receiver:
        receiver.sync()
    with pytest.raises(ObjectLost):
        scene.store.receive(key, 6, "", lambda: True)
    assert scene.store.receive(key, 0, "", lambda: False) is None
    scene.seal(key)
    with scene.store.open(key):
        assert descriptors() == before + 1
    assert descriptors() == before
    scene.store.pread(key, 0, 1)
    assert descriptors() == before + 1
    scene.store.delete([key])
    assert descriptors() == before


def test_a_receiver_whose_question_fails_leaves_no_descriptor(scene: Scene, descriptors: Callable[[], int]) -> None:
    key = scene.put(b"bytes")
    before = descriptors()

    def fail() -> bool:
        raise ConnectionError("the database is gone")

    with pytest.raises(ConnectionError):
        scene.store.receive(key, 0, "", fail)
    assert descriptors() == before


def test_what_another_process_deleted_is_let_go_of_when_asked(scene: Scene, descriptors: Callable[[], int]) -> None:
    gone, there = scene.put(b"gone"), scene.put(b"there")
    before = descriptors()
    scene.store.pread(gone, 0, 1)
    scene.store.pread(there, 0, 1)
    FilesystemStore(scene.root).delete([gone])
    assert scene.store.drop_deleted() == 1
    assert descriptors() == before + 1
    assert scene.store.drop_deleted() == 0


def test_a_stream_is_a_real_file(scene: Scene) -> None:
    key = scene.put(b"bytes")
    with scene.store.open(key) as stream:
        assert os.path.samestat(os.fstat(stream.fileno()), scene.path(key).stat())
