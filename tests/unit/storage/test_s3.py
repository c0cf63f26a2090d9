"""The bucket as a store: its layout, its readers, its addresses, and what deleting leaves of it."""

from __future__ import annotations

import gc
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import BoundedSemaphore

import httpx
import pytest

from registry.core.facts import ObjectKey
from registry.core.ports import ObjectLost
from registry.oci.errors import Unavailable
from registry.storage.layout import VERSION, InstanceMismatch, KeyInvalid, Layout, LayoutInvalid, new_key, tails_of
from registry.storage.s3 import S3Store
from registry.storage.s3_bucket import Bucket
from registry.storage.s3_client import MIB, S3Settings
from registry.storage.s3_stream import Readers
from tests.support.receiving import Session, content, put
from tests.support.s3 import S3Server, s3_server
from tests.support.s3_faults import Fault, FaultyProxy
from tests.support.tls import Certificate

__all__ = ["s3_server"]


@pytest.fixture
def settings(s3_server: S3Server) -> S3Settings:
    return s3_server.new_place()


def opened(settings: S3Settings) -> S3Store:
    store = S3Store(settings)
    store.load_or_create_layout("an instance")
    return store


@pytest.fixture
def store(settings: S3Settings) -> S3Store:
    return opened(settings)


# The layout


def test_a_new_bucket_gets_the_instances_layout(settings: S3Settings) -> None:
    layout = S3Store(settings).load_or_create_layout("an instance")
    assert layout == Layout(VERSION, "an instance")
    assert json.loads(Bucket(settings).get("layout.json")) == {"layout": 1, "instance": "an instance"}
    assert S3Store(settings).load_or_create_layout("an instance") == layout


def test_another_instances_bucket_is_refused_and_not_changed(store: S3Store, settings: S3Settings) -> None:
    with pytest.raises(InstanceMismatch, match=f"bucket registry/{settings.prefix} belongs to instance an instance"):
        S3Store(settings).load_or_create_layout("another")
    assert store.load_or_create_layout("an instance").instance == "an instance"


def test_of_several_instances_that_start_at_once_one_gets_the_bucket(settings: S3Settings) -> None:
    def start(instance: str) -> str:
        try:
            return S3Store(settings).load_or_create_layout(instance).instance
        except InstanceMismatch:
            return "refused"

    with ThreadPoolExecutor(4) as threads:
        started = list(threads.map(start, "abcd"))
    assert sorted(started)[1:] == ["refused"] * 3


@pytest.mark.parametrize("document", [b"{", b'{"layout": 2}', b"[]"])
def test_what_is_no_layout_is_refused_and_not_overwritten(settings: S3Settings, document: bytes) -> None:
    Bucket(settings).put("layout.json", document)
    with pytest.raises(LayoutInvalid, match=f"bucket registry/{settings.prefix}"):
        S3Store(settings).load_or_create_layout("an instance")
    assert Bucket(settings).get("layout.json") == document


def test_two_registries_share_a_bucket_by_their_prefixes(settings: S3Settings) -> None:
    stores = []
    for prefix in ("one/", "two/"):
        store = S3Store(replace(settings, prefix=settings.prefix + prefix))
        store.load_or_create_layout(prefix)
        stores.append(store)
    key = put(stores[0], b"bytes")
    session = Session(stores[1], key)
    session.send(b"of the other")
    assert stores[1].size(key) is None
    assert set(Bucket(settings).keys("one/")) == {"one/layout.json", f"one/{key}"}
    stores[1].delete([key])
    assert content(stores[0], key) == b"bytes"
    assert set(Bucket(settings).keys("two/")) == {"two/layout.json"}


# Reading


def test_a_stream_is_read_in_steps_and_from_another_place(store: S3Store) -> None:
    whole = bytes(range(256)) * 1024
    with store.open(put(store, whole), 1000) as stream:
        assert stream.read(10) == whole[1000:1010]
        assert stream.tell() == 1010
        assert stream.seek(-5, 1) == 1005
        assert stream.read(5) == whole[1005:1010]
        buffer = bytearray(70_000)
        assert stream.readinto(buffer) == 70_000  # type: ignore[attr-defined]
        assert buffer == whole[1010:71_010]
        assert stream.read() == whole[71_010:]
        assert stream.read() == b""
        with pytest.raises(OSError, match="the end of an object is not known"):
            stream.seek(0, 2)


def test_a_cut_connection_is_only_a_pause(s3_server: S3Server, settings: S3Settings) -> None:
    whole = bytes(range(256)) * 4096
    with FaultyProxy(s3_server) as proxy:
        store = opened(replace(settings, endpoint=proxy.url))
        key = put(store, whole)
        proxy.seen.clear()
        proxy.fail("GetObject", Fault.CUT_ANSWER, times=3)
        assert content(store, key) == whole
        assert proxy.seen.count("GetObject") == 4


def test_a_small_read_goes_on_after_a_cut_too(s3_server: S3Server, settings: S3Settings) -> None:
    with FaultyProxy(s3_server) as proxy:
        store = opened(replace(settings, endpoint=proxy.url))
        key = put(store, b"0123456789")
        proxy.fail("GetObject", Fault.CUT_ANSWER)
        assert store.pread(key, 2, 6) == b"234567"


def test_a_store_that_has_no_time_is_asked_again(s3_server: S3Server, settings: S3Settings) -> None:
    with FaultyProxy(s3_server) as proxy:
        store = opened(replace(settings, endpoint=proxy.url))
        key = put(store, b"bytes")
        proxy.fail("GetObject", Fault.SLOW_DOWN)
        proxy.fail("GetObject", Fault.INTERNAL_ERROR)
        assert content(store, key) == b"bytes"
        proxy.fail("HeadObject", Fault.SLOW_DOWN)
        assert store.size(key) == 5


def test_a_store_that_never_has_time_is_unavailable_and_nothing_is_lost(
    s3_server: S3Server, settings: S3Settings
) -> None:
    with FaultyProxy(s3_server) as proxy:
        store = opened(replace(settings, endpoint=proxy.url, attempts=1))
        key = put(store, b"bytes")
        for operation in ("GetObject", "HeadObject", "DeleteObjects"):
            proxy.fail(operation, Fault.SLOW_DOWN, times=10)
        for ask in (store.open, store.size, lambda key: store.pread(key, 0, 1), lambda key: store.delete([key])):
            with pytest.raises(Unavailable):
                ask(key)
        proxy.heal()
        assert content(store, key) == b"bytes"


def test_an_object_deleted_while_it_is_read_ends_as_lost_when_the_connection_does(
    s3_server: S3Server, settings: S3Settings
) -> None:
    with FaultyProxy(s3_server) as proxy:
        store = opened(replace(settings, endpoint=proxy.url))
        key = put(store, bytes(MIB))
        proxy.fail("GetObject", Fault.CUT_ANSWER)
        with store.open(key) as stream:
            store.delete([key])
            with pytest.raises(ObjectLost):
                stream.read()


def test_in_a_bucket_that_is_gone_nothing_is_lost(s3_server: S3Server) -> None:
    store = S3Store(s3_server.settings("gone-for-a-minute", attempts=1))
    key = new_key()
    receiver = store.receive(key, 0, "", lambda: True)
    assert receiver is not None
    for ask in (
        lambda: store.size(key),
        lambda: store.open(key),
        lambda: store.pread(key, 0, 1),
        lambda: store.delete([key]),
        lambda: store.load_or_create_layout("an instance"),
        lambda: receiver.append([bytes(9 * MIB)]),
    ):
        with pytest.raises(Unavailable):
            ask()


def test_nobody_at_all_at_the_address_is_unavailable_too(s3_server: S3Server) -> None:
    store = S3Store(s3_server.settings(endpoint="http://127.0.0.1:1", attempts=1))
    with pytest.raises(Unavailable):
        store.size(new_key())


def test_a_store_with_a_certificate_of_its_own_authority_is_reached_by_naming_that(
    s3_server: S3Server, settings: S3Settings, tmp_path: Path
) -> None:
    certificate = Certificate.make(tmp_path)
    with FaultyProxy(s3_server, certificate) as proxy:
        strict = replace(settings, endpoint=proxy.url, attempts=1)
        with pytest.raises(Unavailable):
            S3Store(strict).size(new_key())
        store = opened(replace(strict, ca=certificate.authority))
        session = Session(store)
        session.send(bytes(9 * MIB))
        assert session.whole() == bytes(9 * MIB)


def test_only_so_many_read_at_once(settings: S3Settings, store: S3Store) -> None:
    key = put(store, b"bytes")
    readers = Readers(Bucket(settings), BoundedSemaphore(1), patience=0)
    with readers.open(str(key), 0), pytest.raises(Unavailable):
        readers.open(str(key), 0)
    with pytest.raises(ObjectLost):
        readers.open(str(new_key()), 0)
    abandoned = readers.open(str(key), 0)
    del abandoned
    gc.collect()
    assert readers.part(str(key), 1, 3) == b"yte"


# Addresses


def test_an_objects_address_gives_its_bytes_to_who_has_no_keys(store: S3Store) -> None:
    key = put(store, b"bytes")
    url = store.url(key)
    assert url is not None
    assert httpx.get(url).content == b"bytes"
    assert httpx.get(url.partition("?")[0]).status_code == 403


def test_an_address_is_given_out_again_for_half_its_life(
    store: S3Store, settings: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    instant = [1000.0]
    monkeypatch.setattr("registry.storage.s3.monotonic", lambda: instant[0])
    signed: list[int] = []

    def sign(self: Bucket, key: str, seconds: int) -> str:
        signed.append(seconds)
        return f"signed {len(signed)}"

    monkeypatch.setattr(Bucket, "url", sign)
    key, lifetime = new_key(), settings.redirect_lifetime.total_seconds()
    assert store.url(key) == "signed 1"
    instant[0] += lifetime / 2 - 1
    assert store.url(key) == "signed 1"
    instant[0] += 2
    assert store.url(key) == "signed 2"
    assert signed == [lifetime, lifetime]
    store.delete([key])
    assert store.url(key) == "signed 3"


def test_without_redirects_there_is_no_address(s3_server: S3Server) -> None:
    store = S3Store(s3_server.settings(redirect=False))
    assert store.url(new_key()) is None
    with pytest.raises(KeyInvalid):
        store.url(ObjectKey("layout.json"))


# Deleting


def test_after_deleting_nothing_is_left_of_a_session(store: S3Store, settings: S3Settings) -> None:
    session, other = Session(store), Session(store)
    for _ in range(2):
        # Of an earlier request that was killed, an upload which no state names.
        with session.receive() as receiver:
            assert receiver.append([bytes(9 * MIB)])
    session.send(bytes(9 * MIB))
    session.send(b"a tail")
    other.send(bytes(9 * MIB))
    bucket = Bucket(settings)
    assert len(list(bucket.keys(str(tails_of(session.key))))) == 2
    assert bucket.uploads(str(session.key))
    store.delete([session.key])
    assert not bucket.uploads(str(session.key))
    assert not list(bucket.keys(str(tails_of(session.key))))
    assert other.whole() == bytes(9 * MIB)
    store.delete([other.key])
    assert set(bucket.keys("")) <= {"layout.json", *bucket.keys(str(tails_of(other.key)))}
    assert not bucket.uploads(str(other.key))


def test_what_a_blob_leaves_over_is_deleted_by_its_own_key(store: S3Store, settings: S3Settings) -> None:
    session = Session(store)
    session.send(b"one")
    session.send(b"two")
    with session.receive() as receiver:
        assert receiver.seal()
        leftovers = receiver.leftovers
    assert leftovers == tails_of(session.key)
    store.delete([leftovers])
    assert content(store, session.key) == b"onetwo"
    assert set(Bucket(settings).keys("")) == {"layout.json", str(session.key)}


def test_who_never_wrote_a_tail_leaves_nothing_over(store: S3Store) -> None:
    with Session(store).receive() as receiver:
        assert receiver.append([b"bytes"])
        assert receiver.seal()
        assert receiver.leftovers is None


@pytest.mark.parametrize("text", ["uploads/", "blobs/", "/", "layout.json/", "uploads/0f/", "uploads/../blobs/"])
def test_no_other_prefix_is_deleted(store: S3Store, text: str) -> None:
    key = put(store, b"stays")
    with pytest.raises(KeyInvalid):
        store.delete([key, ObjectKey(text)])
    assert content(store, key) == b"stays"


def test_more_are_deleted_than_one_call_takes(s3_server: S3Server, settings: S3Settings) -> None:
    with FaultyProxy(s3_server) as proxy:
        bucket = Bucket(replace(settings, endpoint=proxy.url))
        bucket.put("last", b"bytes")
        bucket.delete([*(str(number) for number in range(1000)), "last"])
        assert proxy.seen.count("DeleteObjects") == 2
        assert bucket.head("last") is None
