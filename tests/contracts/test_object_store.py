"""What every object store promises (registry/core/ports.py, `ObjectStore` and `Receiver`), whatever keeps the bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.facts import ObjectKey
from registry.core.ports import ObjectLost, ObjectStore, Receiver
from registry.storage.filesystem import FilesystemStore
from registry.storage.layout import KeyInvalid, new_key
from registry.storage.memory import MemoryStore


def yes() -> bool:
    return True


def no() -> bool:
    return False


# One store for all of a module's tests: keys are never used twice, and hypothesis wants one for many examples.
@pytest.fixture(scope="module", params=["filesystem", "memory"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    return FilesystemStore(tmp_path_factory.mktemp("data")) if request.param == "filesystem" else MemoryStore()


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


# Receiving


def test_what_was_appended_is_read_back(store: ObjectStore) -> None:
    key = put(store, b"one ", b"two")
    assert (content(store, key), store.size(key)) == (b"one two", 7)


def test_an_object_may_be_empty(store: ObjectStore) -> None:
    key = put(store)
    assert (content(store, key), store.size(key), store.pread(key, 0, 10)) == (b"", 0, b"")


def test_an_object_is_there_from_the_moment_it_is_received(store: ObjectStore) -> None:
    key = new_key()
    with receive(store, key, 0):
        assert store.size(key) == 0


def test_appending_nothing_changes_nothing(store: ObjectStore) -> None:
    key = put(store, b"bytes")
    with receive(store, key, 5) as receiver:
        assert receiver.append([])
        assert receiver.append([b"", b""])
    assert content(store, key) == b"bytes"


@given(chunks=st.lists(st.lists(st.binary(max_size=40), max_size=5), max_size=5))
def test_chunks_of_any_sizes_make_the_same_object_as_single_bytes(
    store: ObjectStore, chunks: Sequence[Sequence[bytes]]
) -> None:
    whole = b"".join(chunk for each in chunks for chunk in each)
    in_chunks, in_bytes = new_key(), new_key()
    with receive(store, in_chunks, 0) as receiver:
        assert all(receiver.append(each) for each in chunks)
    with receive(store, in_bytes, 0) as receiver:
        assert all(receiver.append([whole[at : at + 1]]) for at in range(len(whole)))
    assert content(store, in_chunks) == whole
    assert content(store, in_bytes) == whole


def test_a_later_receiver_goes_on_at_the_offset(store: ObjectStore) -> None:
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


def test_to_begin_again_keeps_nothing(store: ObjectStore) -> None:
    key = put(store, b"before")
    with receive(store, key, 0) as receiver:
        assert receiver.append([b"new"])
    assert content(store, key) == b"new"


@given(whole=st.binary(max_size=200), data=st.data())
def test_an_object_received_in_many_requests_is_the_same(store: ObjectStore, whole: bytes, data: st.DataObject) -> None:
    key = new_key()
    offset = 0
    with receive(store, key, 0):
        pass
    while offset < len(whole):
        sent = data.draw(st.integers(1, len(whole) - offset), label="sent")
        kept = data.draw(st.integers(1, sent), label="acknowledged")
        with receive(store, key, offset) as receiver:
            assert receiver.append([whole[offset : offset + sent]])
        offset += kept
    with receive(store, key, offset):
        pass
    assert content(store, key) == whole


def test_an_object_shorter_than_its_offset_is_lost(store: ObjectStore) -> None:
    key = put(store, b"12345")
    with pytest.raises(ObjectLost):
        store.receive(key, 6, "", yes)
    assert content(store, key) == b"12345"


def test_an_absent_object_with_an_offset_is_lost_and_not_made(store: ObjectStore) -> None:
    key = new_key()
    with pytest.raises(ObjectLost):
        store.receive(key, 1, "", yes)
    assert store.size(key) is None


def test_cutting_gives_back_what_lies_beyond_the_offset(store: ObjectStore) -> None:
    key = put(store, b"kept")
    with receive(store, key, 4) as receiver:
        assert receiver.append([b" and regretted"])
        assert receiver.cut(4)
        assert store.size(key) == 4
        assert receiver.append([b"!"])
    assert content(store, key) == b"kept!"


def test_cutting_beyond_the_end_adds_nothing(store: ObjectStore) -> None:
    key = put(store, b"short")
    with receive(store, key, 5) as receiver:
        assert receiver.cut(100)
    assert content(store, key) == b"short"


# Losing the session


def test_who_has_lost_the_session_writes_nothing(store: ObjectStore) -> None:
    key = put(store, b"before")
    answers = [True, True, False, False]
    with receive(store, key, 6, lambda: answers.pop(0)) as receiver:
        assert receiver.append([b" mine"])
        assert not receiver.append([b" not mine"])
        assert not receiver.append([b" nor this"])
    assert content(store, key) == b"before mine"
    assert not answers


def test_who_has_lost_the_session_cuts_nothing(store: ObjectStore) -> None:
    key = put(store, b"of the other")
    answers = [True, False]
    with receive(store, key, 12, lambda: answers.pop(0)) as receiver:
        assert not receiver.cut(0)
    assert content(store, key) == b"of the other"


def test_who_has_lost_the_session_receives_nothing(store: ObjectStore) -> None:
    key = put(store, b"of the other")
    assert store.receive(key, 2, "", no) is None
    assert content(store, key) == b"of the other"


@pytest.mark.parametrize("offset", [3, 100])
def test_who_has_lost_the_session_is_told_so_even_when_its_object_is_gone(store: ObjectStore, offset: int) -> None:
    short, absent = put(store, b"of"), new_key()
    assert store.receive(short, offset, "", no) is None
    assert store.receive(absent, offset, "", no) is None


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


def test_a_question_that_fails_holds_nobody_up(store: ObjectStore) -> None:
    key = put(store, b"bytes")
    is_broken = False

    def asked() -> bool:
        if is_broken:
            raise ConnectionError("the database is gone")
        return True

    with receive(store, key, 5, asked) as receiver:
        is_broken = True
        with pytest.raises(ConnectionError):
            receiver.append([b"lost"])
        with receive(store, key, 5) as other:
            assert other.append([b"!"])
    assert content(store, key) == b"bytes!"


# Reading


@pytest.mark.parametrize(
    ("start", "length", "part"),
    [(0, 4, b"0123"), (4, 2, b"45"), (8, 2, b"89"), (8, 100, b"89"), (10, 5, b""), (99, 5, b""), (3, 0, b"")],
)
def test_a_part_is_as_long_as_asked_or_shorter_at_the_end(
    store: ObjectStore, start: int, length: int, part: bytes
) -> None:
    assert store.pread(put(store, b"0123456789"), start, length) == part


def test_a_stream_begins_at_the_beginning_each_time(store: ObjectStore) -> None:
    key = put(store, b"abc")
    with store.open(key) as first, store.open(key) as second:
        assert first.read(2) == b"ab"
        assert second.read() == b"abc"
        assert first.seek(1) == 1
        assert first.read() == b"bc"


def test_an_absent_object_is_lost_to_every_reader(store: ObjectStore) -> None:
    key = new_key()
    assert store.size(key) is None
    with pytest.raises(ObjectLost):
        store.open(key)
    with pytest.raises(ObjectLost):
        store.pread(key, 0, 1)


# Deleting


def test_deleting_forgets_these_objects_and_no_other(store: ObjectStore) -> None:
    keys = [put(store, b"a"), put(store, b"b")]
    other = put(store, b"other")
    store.delete(key for key in keys)
    assert [store.size(key) for key in keys] == [None, None]
    assert content(store, other) == b"other"


def test_deleting_what_is_not_there_is_no_error(store: ObjectStore) -> None:
    key = put(store, b"there")
    store.delete([new_key(), key, key, new_key()])
    assert store.size(key) is None
    store.delete([key])
    store.delete([])


def test_who_reads_an_object_reads_it_to_its_end_though_it_is_deleted(store: ObjectStore) -> None:
    key = put(store, b"long enough")
    with store.open(key) as stream:
        store.delete([key])
        assert stream.read() == b"long enough"


def test_no_part_of_a_deleted_object_is_read(store: ObjectStore) -> None:
    key = put(store, b"bytes")
    assert store.pread(key, 0, 5) == b"bytes"
    store.delete([key])
    with pytest.raises(ObjectLost):
        store.pread(key, 0, 5)


# Keys

A_KEY = "blobs/0f/0f3c9f52-1d2e-4b6a-8c7d-0123456789ab"


def _operations(store: ObjectStore) -> list[Callable[[ObjectKey], object]]:
    return [
        lambda key: store.receive(key, 0, "", yes),
        lambda key: store.receive(key, 1, "", yes),
        store.size,
        store.open,
        lambda key: store.pread(key, 0, 1),
        lambda key: store.delete([key]),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "registry.db",
        "layout.json",
        "/etc/passwd",
        "blobs",
        "blobs/0f",
        "blobs/../layout.json",
        "blobs/0f/../../registry.db",
        f"../{A_KEY}",
        f"/{A_KEY}",
        f"{A_KEY}/",
        f"{A_KEY}\n",
        f"{A_KEY}\0",
        f" {A_KEY}",
        A_KEY.upper(),
        A_KEY.replace("0f3c9f52", "0F3c9f52"),
        A_KEY.replace("/0f/", "/0e/"),
        A_KEY.replace("blobs/", "blobs//"),
        A_KEY.replace("-", ""),
        A_KEY.replace("0f3c", "\N{ARABIC-INDIC DIGIT ZERO}f3c"),
    ],
)
def test_a_key_that_is_none_is_refused_by_every_operation(store: ObjectStore, text: str) -> None:
    for operation in _operations(store):
        with pytest.raises(KeyInvalid):
            operation(ObjectKey(text))


@given(at=st.integers(0, len(A_KEY)), put_in=st.text(min_size=1, max_size=4))
def test_whatever_is_put_into_a_key_makes_it_none(store: ObjectStore, at: int, put_in: str) -> None:
    for operation in _operations(store):
        with pytest.raises(KeyInvalid):
            operation(ObjectKey(A_KEY[:at] + put_in + A_KEY[at:]))


@given(at=st.integers(0, len(A_KEY) - 1), instead=st.characters(exclude_characters="0123456789abcdef"))
def test_whatever_stands_for_a_digit_in_a_key_makes_it_none(store: ObjectStore, at: int, instead: str) -> None:
    changed = A_KEY[:at] + instead + A_KEY[at + 1 :]
    if changed != A_KEY:
        with pytest.raises(KeyInvalid):
            store.size(ObjectKey(changed))


def test_a_batch_with_a_key_that_is_none_deletes_nothing(store: ObjectStore) -> None:
    key = put(store, b"stays")
    with pytest.raises(KeyInvalid):
        store.delete([key, ObjectKey("blobs/../registry.db")])
    assert content(store, key) == b"stays"
