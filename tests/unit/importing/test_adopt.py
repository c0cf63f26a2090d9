"""`importing.adopt`: one more name for the same bytes, and the source never changed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from registry.core.facts import ObjectKey
from registry.core.ports import ObjectLost
from registry.importing.adopt import AdoptingStore, FolderAdopter, NotAdoptable
from registry.oci.digest import Digest
from registry.oci.errors import StorageFull
from registry.oci.names import RepositoryName
from registry.storage.layout import KeyInvalid, new_key
from tests.support.images import tiny_image
from tests.unit.core.house import House
from tests.unit.importing.importing import run, serves, sums
from tests.unit.importing.trees import WrittenTree
from tests.unit.metadata.databases import rows

NAME = "team/app"
IMAGE = tiny_image("adopted", layer_size=3_000_000)
LAYER = IMAGE.layers[0]


class Killed(BaseException):
    """Nothing of this process goes on."""


@pytest.fixture
def descriptor(written: WrittenTree) -> Iterator[int]:
    written.push(NAME, IMAGE, "1")
    found = os.open(written.data(LAYER.digest), os.O_RDONLY)
    yield found
    os.close(found)


def objects(house: House) -> list[Path]:
    return [house.folder / key for (key,) in house.rows("SELECT key FROM object WHERE state = 'live'")]


def refusing(number: int) -> object:
    def link(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return link


def test_the_object_is_the_very_file(house: House, written: WrittenTree) -> None:
    written.push(NAME, IMAGE, "1")
    before = written.state()
    run(house, written)
    (mine,) = objects(house)
    assert mine.samefile(written.data(LAYER.digest))
    assert written.state() == before


def test_the_name_is_durable_before_the_row(
    house: House, written: WrittenTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    written.push(NAME, IMAGE, "1")
    synced: list[tuple[str, str, int]] = []
    source = written.data(LAYER.digest)

    def fsync(descriptor: int) -> None:
        place = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        ((state,),) = rows(house.database, "SELECT state FROM object")
        synced.append((place, state, source.stat().st_nlink))

    monkeypatch.setattr(os, "fsync", fsync)
    run(house, written)
    (mine,) = objects(house)
    folders = [(str(each), "receiving", 2) for each in (mine.parent, house.folder / "blobs")]
    assert synced == [(str(source), "receiving", 1), *folders]


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP])
def test_what_cannot_be_linked_is_copied(
    house: House, written: WrittenTree, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    others = [tiny_image(f"other/{each}", layer_size=10_000) for each in range(4)]
    for tag, image in enumerate([IMAGE, *others]):
        written.push(NAME, image, str(tag))
    monkeypatch.setattr(os, "link", refusing(number))
    report = run(house, written)
    assert not report.broken
    assert sums(report)["blobs copied"] == 5 * 2
    assert serves(house, NAME, IMAGE, ["0"])
    assert all(serves(house, NAME, image, [str(tag)]) for tag, image in enumerate(others, start=1))
    assert not any(mine.samefile(written.data(LAYER.digest)) for mine in objects(house))
    assert not house.rows("SELECT 1 FROM upload WHERE finished IS NULL")
    # Tried once by each of two threads; the other files were not read in vain.
    assert house.states().count("doomed") in {1, 2}


def test_another_file_system_is_not_even_tried(house: House, written: WrittenTree) -> None:
    written.push(NAME, IMAGE)
    with Path("/proc/self/status").open() as elsewhere:
        assert not FolderAdopter(house.folder).may(elsewhere.fileno())
    with written.data(LAYER.digest).open() as here:
        assert FolderAdopter(house.folder).may(here.fileno())


def test_want_of_room_is_named(house: House, descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", refusing(errno.ENOSPC))
    with pytest.raises(StorageFull):
        FolderAdopter(house.folder).adopt(new_key(), descriptor)


def test_what_was_read_is_linked_whatever_has_its_name_by_now(
    house: House, written: WrittenTree, descriptor: int
) -> None:
    path = written.data(LAYER.digest)
    path.rename(path.with_name("aside"))
    path.write_bytes(b"other")
    key = new_key()
    FolderAdopter(house.folder).adopt(key, descriptor)
    assert (house.folder / str(key)).samefile(path.with_name("aside"))


def test_a_file_without_a_name_is_not_adoptable(house: House, written: WrittenTree, descriptor: int) -> None:
    written.data(LAYER.digest).unlink()
    with pytest.raises(NotAdoptable):
        FolderAdopter(house.folder).adopt(new_key(), descriptor)


def test_no_path_is_made_of_what_is_not_a_key(house: House, descriptor: int) -> None:
    with pytest.raises(KeyInvalid):
        FolderAdopter(house.folder).adopt(ObjectKey("../outside"), descriptor)


def test_bytes_of_another_name_are_not_linked_at_all(house: House, written: WrittenTree) -> None:
    written.push(NAME, IMAGE)
    written.flip(LAYER.digest)
    before = written.state()
    run(house, written)
    assert written.data(LAYER.digest).stat().st_nlink == 1
    assert written.state() == before


def test_nothing_that_happens_to_the_blob_later_changes_the_source(house: House, written: WrittenTree) -> None:
    written.push(NAME, IMAGE, "1")
    before = written.state()
    run(house, written)
    # Pushed again, which replaces the object; then everything deleted and swept.
    house.push_blob(LAYER.data, RepositoryName(NAME), large=True)
    house.manifests.delete(RepositoryName(NAME), Digest.parse(IMAGE.digest), house.admin)
    house.sweeper.run()
    assert written.state() == before
    assert written.data(LAYER.digest).stat().st_nlink == 1
    assert house.content(Digest.parse(LAYER.digest), RepositoryName(NAME)) == LAYER.data


def test_nothing_that_happens_to_the_source_later_changes_the_blob(house: House, written: WrittenTree) -> None:
    written.push(NAME, IMAGE, "1")
    run(house, written)
    # As its registry does it: a new file under the name, or none.
    written.data(LAYER.digest).with_name("new").write_bytes(b"new")
    written.data(LAYER.digest).with_name("new").rename(written.data(LAYER.digest))
    written.data(LAYER.digest).unlink()
    assert serves(house, NAME, IMAGE, ["1"])


@pytest.mark.parametrize("step", ["before the link", "after the link"])
def test_a_kill_leaves_an_idle_session_that_the_sweeper_ends_and_the_source_unchanged(
    house: House, written: WrittenTree, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    written.push(NAME, IMAGE, "1")
    before = written.state()

    class Dying(FolderAdopter):
        def adopt(self, key: ObjectKey, descriptor: int) -> None:
            if step == "after the link":
                super().adopt(key, descriptor)
            # Nor does a killed process tidy up.
            monkeypatch.setattr(type(house.uploads), "cancel", lambda *_: None)
            raise Killed

    with pytest.raises(Killed):
        run(house, written, adopter=Dying(house.folder))
    monkeypatch.undo()
    house.crash()
    assert house.states() == ["receiving"]
    assert not serves(house, NAME, IMAGE)
    assert sums(run(house, written))["blobs adopted"] == 1
    assert serves(house, NAME, IMAGE, ["1"])
    house.rows("UPDATE upload SET expires_at = 1")
    house.sweeper.run()
    house.sweeper.run()
    assert house.states() == ["live"]
    assert written.data(LAYER.digest).stat().st_nlink == 2
    assert written.state() == before


def test_a_session_is_acknowledged_while_a_large_blob_is_read(house: House, written: WrittenTree) -> None:
    """Or a sweeper would take it for idle; with an expiry of nothing, every chunk is due."""
    written.push(NAME, IMAGE, "1")
    told: list[tuple[int]] = []

    class Asking(FolderAdopter):
        def adopt(self, key: ObjectKey, descriptor: int) -> None:
            told.extend(rows(house.database, "SELECT offset FROM upload"))
            super().adopt(key, descriptor)

    house.uploads = replace(house.uploads, expiry=timedelta(0))
    run(house, written, adopter=Asking(house.folder))
    assert told == [(LAYER.size,)]
    assert serves(house, NAME, IMAGE, ["1"])


def test_a_session_that_was_taken_away_is_not_linked(house: House, written: WrittenTree, descriptor: int) -> None:
    store = AdoptingStore(house.store, FolderAdopter(house.folder), descriptor)
    answers = iter([True, False, False])
    adoption = store.receive(new_key(), 0, "", lambda: next(answers))
    assert adoption is not None
    assert adoption.append([LAYER.data])
    assert not adoption.seal()
    assert not adoption.cut(0)
    assert written.data(LAYER.digest).stat().st_nlink == 1
    assert store.receive(new_key(), 0, "", lambda: False) is None


def test_a_file_that_is_longer_than_what_was_read_is_not_linked(
    house: House, written: WrittenTree, descriptor: int
) -> None:
    store = AdoptingStore(house.store, FolderAdopter(house.folder), descriptor)
    adoption = store.receive(new_key(), 0, "", lambda: True)
    assert adoption is not None
    adoption.append([LAYER.data[:-1]])
    with pytest.raises(ObjectLost):
        adoption.seal()
    assert written.data(LAYER.digest).stat().st_nlink == 1
