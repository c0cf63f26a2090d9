"""What every store tells of what it holds (registry/core/ports.py, `StoreInventory`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from registry.core.facts import ObjectKey
from registry.core.fsck_facts import Held, HeldKind
from registry.core.ports import ObjectLost, ObjectStore, StoreInventory
from registry.storage.file_inventory import FileInventory
from registry.storage.filesystem import FilesystemStore
from registry.storage.layout import new_key
from registry.storage.memory import MemoryStore
from registry.storage.s3 import S3Store
from registry.storage.s3_bucket import Bucket
from registry.storage.s3_inventory import S3Inventory
from tests.support.receiving import Session, put
from tests.support.s3 import S3Server, s3_server

__all__ = ["s3_server"]  # a fixture, taken in by name
Both = tuple[ObjectStore, StoreInventory]


@pytest.fixture(params=["filesystem", "memory", "s3"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Both]:
    if request.param == "filesystem":
        yield FilesystemStore(tmp_path), FileInventory(tmp_path)
    elif request.param == "memory":
        store = MemoryStore()
        yield store, store
    else:
        server: S3Server = request.getfixturevalue("s3_server")
        settings = server.new_place()
        objects = S3Store(settings)
        objects.load_or_create_layout("an instance")
        yield objects, S3Inventory(Bucket(settings))
        objects.close()


def held(inventory: StoreInventory) -> dict[str, Held]:
    return {each.name: each for page in inventory.pages() for each in page}


def test_an_empty_store_holds_nothing(both: Both) -> None:
    _, inventory = both
    assert held(inventory) == {}


def test_each_object_is_listed_once_with_its_size_and_when_it_changed(both: Both) -> None:
    store, inventory = both
    sizes = {str(put(store, bytes(size))): size for size in (0, 1, 5000)}
    pages = [each for page in inventory.pages() for each in page]
    assert {each.name: each.size for each in pages} == sizes
    assert len(pages) == 3
    for each in pages:
        assert (each.kind, each.key, each.owner) == (HeldKind.OBJECT, ObjectKey(each.name), ObjectKey(each.name))
        assert abs(datetime.now(UTC) - each.changed) < timedelta(minutes=5)


def test_a_page_has_at_most_a_thousand(tmp_path: Path) -> None:
    """S3 pages by itself, and so many."""
    memory = MemoryStore()
    for store, inventory in ((memory, memory), (FilesystemStore(tmp_path), FileInventory(tmp_path))):
        for _ in range(1001):
            put(store)
        assert sorted(len(page) for page in inventory.pages()) == [1, 1000]


def test_what_is_deleted_is_held_no_more(both: Both) -> None:
    store, inventory = both
    one, two = put(store, b"one"), put(store, b"two")
    found = held(inventory)
    store.delete([one])
    assert [inventory.holds(found[str(each)]) for each in (one, two)] == [False, True]
    assert set(held(inventory)) == {str(two)}


def test_what_an_open_session_has_is_listed_under_its_key_and_needed(both: Both) -> None:
    store, inventory = both
    session = Session(store)
    session.send(bytes(9 << 20) + b"tail")
    found = held(inventory).values()
    assert found
    for each in found:
        assert each.key == session.key
        assert inventory.holds(each)
        assert inventory.is_needed(each, session.stored)
        # Before a first note nobody can tell whose it is.
        assert inventory.is_needed(each, "")
    store.delete([each.owner for each in found if each.owner is not None])
    assert held(inventory) == {}


def test_to_keep_an_object_leaves_it_as_it_is(both: Both) -> None:
    store, inventory = both
    key = put(store, b"bytes")
    inventory.keep(key)
    assert store.pread(key, 0, 10) == b"bytes"
    with pytest.raises(ObjectLost):
        inventory.keep(new_key())


def test_of_a_session_s_uploads_the_one_it_noted_is_needed(s3_server: S3Server) -> None:
    settings = s3_server.new_place()
    store, inventory = S3Store(settings), S3Inventory(Bucket(settings))
    session = Session(store)
    session.send(bytes(9 << 20))
    (own,) = [each for each in held(inventory).values() if each.kind is HeldKind.MULTIPART]
    other = replace(own, upload="another")
    assert inventory.is_needed(own, session.stored)
    assert not inventory.is_needed(other, session.stored)
    assert not inventory.holds(other)
    inventory.abort(other)
    inventory.abort(own)
    assert not inventory.holds(own)
    store.close()


def test_what_lies_beside_our_folders_in_a_bucket_is_not_looked_at(s3_server: S3Server) -> None:
    settings = s3_server.new_place()
    bucket = Bucket(settings)
    for name in ("layout.json", "notes.txt", "others/blobs/x"):
        bucket.put(name, b"")
    assert held(S3Inventory(bucket)) == {}
    bucket.put("uploads/notes.txt", b"")
    assert [each.kind for each in held(S3Inventory(bucket)).values()] == [HeldKind.FOREIGN]


def test_files_of_no_name_of_ours_are_foreign(tmp_path: Path) -> None:
    FilesystemStore(tmp_path)
    key = new_key()
    names = ["blobs/notes.txt", "blobs/ab/x", f"blobs/zz/{key.text[-36:]}", f"{key}.old", ".layout.json.new"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / key.text).symlink_to("elsewhere")
    (tmp_path / "registry.db").write_bytes(b"")
    found = held(FileInventory(tmp_path))
    assert {name: each.kind for name, each in found.items()} == dict.fromkeys([*names, key.text], HeldKind.FOREIGN)


def test_without_its_disk_a_folder_lists_nothing_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        held(FileInventory(tmp_path))
