"""What every object store promises (registry/core/ports.py, `ObjectStore` and `Receiver`), whatever keeps the bytes.

An object is read once it is sealed, and received in requests that each go on from what the last one's `sync` said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.facts import ObjectKey
from registry.core.ports import ObjectLost, ObjectStore
from registry.storage.filesystem import FilesystemStore
from registry.storage.layout import KeyInvalid, new_key
from registry.storage.memory import MemoryStore
from registry.storage.s3 import S3Store
from tests.support.receiving import Session, content, put
from tests.support.s3 import S3Server, s3_server

__all__ = ["s3_server"]  # a fixture, taken in by name
MIB = 1024 * 1024


def yes() -> bool:
    return True


def no() -> bool:
    return False


# One store for all of a module's tests: keys are never used twice, and hypothesis wants one for many examples.
@pytest.fixture(scope="module", params=["filesystem", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    if request.param == "filesystem":
        yield FilesystemStore(tmp_path_factory.mktemp("data"))
    elif request.param == "memory":
        yield MemoryStore()
    else:
        server: S3Server = request.getfixturevalue("s3_server")
        store = S3Store(server.new_place())
        store.load_or_create_layout("an instance")
        yield store
        store.close()


@pytest.fixture
def session(store: ObjectStore) -> Session:
    return Session(store)


# Receiving


def test_what_was_appended_is_read_back(store: ObjectStore) -> None:
    key = put(store, b"one ", b"two")
    assert (content(store, key), store.size(key)) == (b"one two", 7)


def test_an_object_may_be_empty(store: ObjectStore) -> None:
    key = put(store)
    assert (content(store, key), store.size(key), store.pread(key, 0, 10)) == (b"", 0, b"")


def test_appending_nothing_changes_nothing(session: Session) -> None:
    session.send(b"bytes")
    with session.receive() as receiver:
        assert receiver.append([])
        assert receiver.append([b"", b""])
        session.acknowledge(receiver, 0)
    assert session.whole() == b"bytes"


@settings(max_examples=50)
@given(chunks=st.lists(st.lists(st.binary(max_size=40), max_size=5), max_size=5))
def test_chunks_of_any_sizes_make_the_same_object_as_single_bytes(
    store: ObjectStore, chunks: Sequence[Sequence[bytes]]
) -> None:
    whole = b"".join(chunk for each in chunks for chunk in each)
    in_chunks, in_bytes = Session(store), Session(store)
    with in_chunks.receive() as receiver:
        assert all(receiver.append(each) for each in chunks)
        assert receiver.seal()
    with in_bytes.receive() as receiver:
        assert all(receiver.append([whole[at : at + 1]]) for at in range(len(whole)))
        assert receiver.seal()
    assert content(store, in_chunks.key) == content(store, in_bytes.key) == whole


def test_a_later_receiver_goes_on_at_the_offset(session: Session) -> None:
    session.send(b"first, ")
    session.send(b"second")
    assert session.whole() == b"first, second"


def test_megabytes_are_received_in_requests_too(session: Session) -> None:
    pieces = [b"a" * (6 * MIB), b"b" * 100, b"c" * (11 * MIB), b"d" * (5 * MIB)]
    for piece in pieces:
        session.send(piece)
    assert session.whole() == b"".join(pieces)
    assert session.store.size(session.key) == 22 * MIB + 100


def test_what_was_not_acknowledged_is_not_in_the_object(session: Session) -> None:
    session.send(b"acknowledged")
    with session.receive() as receiver:
        assert receiver.append([b", not acknowledged"])
    with session.receive() as receiver:
        assert receiver.append([b"!"])
        session.acknowledge(receiver, 1)
    assert session.whole() == b"acknowledged!"


def test_to_begin_again_keeps_nothing(session: Session) -> None:
    with session.receive() as receiver:
        assert receiver.append([b"before"])
    session.send(b"new")
    assert session.whole() == b"new"


@settings(max_examples=40)
@given(whole=st.binary(max_size=200), data=st.data())
def test_an_object_received_in_many_requests_is_the_same(store: ObjectStore, whole: bytes, data: st.DataObject) -> None:
    session = Session(store)
    while session.offset < len(whole):
        end = data.draw(st.integers(session.offset + 1, len(whole)), label="kept up to")
        lost = data.draw(st.binary(max_size=10), label="and not kept")
        with session.receive() as receiver:
            assert receiver.append([whole[session.offset : end]])
            session.acknowledge(receiver, end - session.offset)
            assert receiver.append([lost])
    assert session.whole() == whole


def test_fewer_bytes_than_were_acknowledged_are_a_lost_object(session: Session) -> None:
    session.send(b"12345")
    session.offset = 6
    with pytest.raises(ObjectLost):
        session.receive()
    session.offset = 5
    assert session.whole() == b"12345"


def test_an_absent_object_with_an_offset_is_lost_and_not_made(session: Session) -> None:
    session.offset = 1
    with pytest.raises(ObjectLost):
        session.receive()
    assert session.store.size(session.key) is None


def test_cutting_gives_back_what_lies_beyond_the_offset(session: Session) -> None:
    session.send(b"kept")
    with session.receive() as receiver:
        assert receiver.append([b" and regretted"])
        assert receiver.cut(4)
        assert receiver.append([b"!"])
        session.acknowledge(receiver, 1)
    assert session.whole() == b"kept!"


def test_cutting_to_the_beginning_leaves_nothing(session: Session) -> None:
    session.send(b"regretted")
    with session.receive() as receiver:
        assert receiver.append([b" altogether"])
        assert receiver.cut(0)
        assert receiver.append([b"anew"])
        assert receiver.seal()
    assert content(session.store, session.key) == b"anew"


def test_cutting_beyond_the_end_adds_nothing(session: Session) -> None:
    session.send(b"short")
    with session.receive() as receiver:
        assert receiver.cut(100)
    assert session.whole() == b"short"


def test_a_small_object_is_had_at_once_without_being_sealed(session: Session) -> None:
    session.send(b"few ")
    with session.receive() as receiver:
        assert receiver.append([b"bytes"])
        assert receiver.content() == b"few bytes"


# Losing the session


def test_who_has_lost_the_session_writes_nothing(session: Session) -> None:
    with session.receive() as earlier:
        assert earlier.append([b"mine"])
        session.acknowledge(earlier, 4)
        session.epoch += 1
        assert not earlier.append([b" not mine"])
        assert not earlier.append([b" nor this"])
    assert session.whole() == b"mine"


def test_who_has_lost_the_session_cuts_nothing(session: Session) -> None:
    session.send(b"of the other")
    with session.receive() as earlier:
        session.epoch += 1
        assert not earlier.cut(0)
    assert session.whole() == b"of the other"


def test_who_has_lost_the_session_has_no_content_and_seals_nothing(session: Session) -> None:
    session.send(b"of the other")
    with session.receive() as earlier:
        session.epoch += 1
        assert earlier.content() is None
        assert not earlier.seal()
    with session.receive() as receiver:
        assert receiver.append([b", who goes on"])
        session.acknowledge(receiver, 13)
    assert session.whole() == b"of the other, who goes on"


def test_who_has_lost_the_session_receives_nothing(session: Session) -> None:
    session.send(b"of the other")
    assert session.store.receive(session.key, session.offset, session.stored, no) is None
    assert session.whole() == b"of the other"


@pytest.mark.parametrize("offset", [3, 100])
def test_who_has_lost_the_session_is_told_so_even_when_its_object_is_gone(session: Session, offset: int) -> None:
    session.send(b"of")
    assert session.store.receive(session.key, offset, session.stored, no) is None
    assert session.store.receive(new_key(), offset, "", no) is None


def test_a_question_that_fails_holds_nobody_up(store: ObjectStore) -> None:
    key = new_key()
    is_broken = False

    def asked() -> bool:
        if is_broken:
            raise ConnectionError("the database is gone")
        return True

    receiver = store.receive(key, 0, "", asked)
    assert receiver is not None
    with receiver:
        is_broken = True
        with pytest.raises(ConnectionError):
            receiver.append([b"lost"])
        other = store.receive(key, 0, "", yes)
        assert other is not None
        with other:
            assert other.append([b"!"])
            assert other.seal()
    assert content(store, key) == b"!"


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


@pytest.mark.parametrize(("start", "rest"), [(0, b"0123456789"), (4, b"456789"), (10, b"")])
def test_a_stream_begins_where_it_is_asked_to(store: ObjectStore, start: int, rest: bytes) -> None:
    with store.open(put(store, b"0123456789"), start) as stream:
        assert stream.read(3) + stream.read(100) + stream.read(1) == rest


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


def test_no_part_of_a_deleted_object_is_read(store: ObjectStore) -> None:
    key = put(store, b"bytes")
    assert store.pread(key, 0, 5) == b"bytes"
    store.delete([key])
    with pytest.raises(ObjectLost):
        store.pread(key, 0, 5)


def test_deleting_what_was_only_begun_ends_it(session: Session) -> None:
    session.send(b"a" * (6 * MIB))
    session.send(b"acknowledged")
    session.store.delete([session.key])
    with pytest.raises(ObjectLost):
        session.receive()
    assert session.store.size(session.key) is None


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
