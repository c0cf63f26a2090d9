"""What files and memory promise beyond every object store: bytes can be read as soon as they are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from registry.core.facts import ObjectKey
from registry.core.ports import ObjectStore, Receiver
from registry.storage.filesystem import FilesystemStore
from registry.storage.layout import new_key
from registry.storage.memory import MemoryStore


def yes() -> bool:
    return True


@pytest.fixture(params=["filesystem", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return FilesystemStore(tmp_path) if request.param == "filesystem" else MemoryStore()


def receive(store: ObjectStore, key: ObjectKey, offset: int, still_mine: Callable[[], bool] = yes) -> Receiver:
    receiver = store.receive(key, offset, "", still_mine)
    assert receiver is not None
    return receiver


def put(store: ObjectStore, *chunks: bytes) -> ObjectKey:
    key = new_key()
    with receive(store, key, 0) as receiver:
        assert receiver.append(chunks)
        receiver.seal()
    return key


def content(store: ObjectStore, key: ObjectKey) -> bytes:
    with store.open(key) as stream:
        return stream.read()


def test_an_object_is_there_from_the_moment_it_is_received(store: ObjectStore) -> None:
    key = new_key()
    with receive(store, key, 0):
        assert store.size(key) == 0


def test_a_sealed_object_can_be_written_on(store: ObjectStore) -> None:
    key = put(store, b"first, ")
    with receive(store, key, 7) as receiver:
        assert receiver.append([b"second"])
    assert content(store, key) == b"first, second"


def test_what_lies_beyond_the_offset_is_cut_off(store: ObjectStore) -> None:
    key = put(store, b"acknowledged, not acknowledged")
    with receive(store, key, 12) as receiver:
        assert store.size(key) == 12
        assert receiver.append([b"!"])
    assert content(store, key) == b"acknowledged!"


def test_what_was_cut_off_is_gone_at_once(store: ObjectStore) -> None:
    key = put(store, b"kept")
    with receive(store, key, 4) as receiver:
        assert receiver.append([b" and regretted"])
        assert receiver.cut(4)
        assert store.size(key) == 4
        assert receiver.append([b"!"])
    assert content(store, key) == b"kept!"


def test_of_receivers_at_once_the_last_to_take_over_writes_and_the_others_never_again(store: ObjectStore) -> None:
    key = new_key()
    # More chunks than one call to the kernel takes, so that each append is many writes.
    pieces, rounds = 3000, 12
    owner = [b""]

    def write(letter: bytes) -> None:
        owner[0] = letter
        receiver = store.receive(key, 0, "", lambda: owner[0] == letter)
        if receiver is None:
            return
        with receiver:
            for _ in range(rounds):
                if not receiver.append([letter * 3] * pieces):
                    return

    writers = [Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert content(store, key) == owner[0] * 3 * pieces * rounds


def test_a_receiver_waits_for_an_earlier_ones_append_and_cuts_it(store: ObjectStore) -> None:
    key = put(store, b"acknowledged")
    later = Thread(target=lambda: receive(store, key, 12).__exit__(None, None, None))
    is_inside = False

    def overtaken() -> bool:
        # Asked with the object's lock held, of an append: the later request comes, and gets no further than the lock.
        if is_inside:
            later.start()
            later.join(0.2)
        return True

    with receive(store, key, 12, overtaken) as earlier:
        is_inside = True
        assert earlier.append([b", then overtaken"])
    later.join()
    assert content(store, key) == b"acknowledged"


def test_who_reads_an_object_reads_it_to_its_end_though_it_is_deleted(store: ObjectStore) -> None:
    key = put(store, b"long enough")
    with store.open(key) as stream:
        store.delete([key])
        assert stream.read() == b"long enough"
