"""How bytes get into a bucket: by which calls, what is noted of them, and what is not there."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from registry.core.ports import ObjectLost
from registry.oci.errors import StorageFull
from registry.storage.layout import tails_of
from registry.storage.s3 import S3Store
from registry.storage.s3_client import MIB
from registry.storage.s3_multipart import Multipart, State
from tests.support.receiving import Session, content
from tests.support.s3 import S3Server, s3_server
from tests.support.s3_faults import Fault, FaultyProxy
from tests.unit.storage.s3_scene import ONE, PART, THREE, TWO, Scene, scene, send_and_seal

__all__ = ["s3_server", "scene"]


# The calls


def test_an_object_smaller_than_a_part_is_a_single_put(scene: Scene) -> None:
    with scene.session.receive() as receiver:
        assert receiver.append([b"small"])
        assert receiver.seal()
    assert scene.proxy.seen == ["ListMultipartUploads", "PutObject", "HeadObject"]


def test_where_the_store_would_replace_an_object_nothing_is_a_single_put(scene: Scene) -> None:
    # Without a layout file there is nothing to find out by.
    session = Session(S3Store(replace(scene.settings, prefix=f"{scene.settings.prefix}elsewhere/")))
    for part in (b"small", b""):
        with session.receive() as receiver:
            assert receiver.append([part])
            assert receiver.seal()
        assert content(session.store, session.key) == part
    assert "PutObject" not in scene.proxy.seen


def test_a_store_that_knows_no_conditions_is_found_out(s3_server: S3Server) -> None:
    with FaultyProxy(s3_server) as proxy:
        store = S3Store(s3_server.new_place(endpoint=proxy.url))
        for _ in range(2):
            # Asked with the condition, and then without.
            proxy.fail("PutObject", Fault.NOT_IMPLEMENTED)
            proxy.fail("PutObject", Fault.NONE)
        assert store.load_or_create_layout("an instance").instance == "an instance"
        for _ in range(2):
            session = Session(store)
            session.seal()
            assert store.size(session.key) == 0
        # Both for the layout, and both once more to find out; no object is among them.
        assert proxy.seen.count("PutObject") == 4
        assert proxy.seen.count("CompleteMultipartUpload") == 2


def test_large_bytes_go_straight_under_their_own_key(scene: Scene) -> None:
    with scene.session.receive() as receiver:
        assert receiver.append([ONE + TWO, b"the rest"])
        assert receiver.seal()
    assert Counter(scene.proxy.seen) == {
        "CreateMultipartUpload": 1,
        "UploadPart": 3,
        "ListMultipartUploads": 1,
        "CompleteMultipartUpload": 1,
        "HeadObject": 1,
    }
    assert scene.content() == ONE + TWO + b"the rest"


def test_bytes_go_on_arriving_while_a_part_is_on_its_way(scene: Scene) -> None:
    scene.proxy.fail("UploadPart", Fault.HOLD)
    with scene.session.receive() as receiver:
        assert receiver.append([ONE])
        assert scene.proxy.held.wait(20)
        assert receiver.append([TWO, b"the rest"])
        scene.proxy.let_go.set()
        assert receiver.seal()
    assert scene.content() == ONE + TWO + b"the rest"


def test_what_is_too_little_for_a_part_waits_as_a_tail(scene: Scene) -> None:
    scene.session.send(ONE + b"a tail")
    assert [(part.number, part.size) for part in scene.state.parts] == [(1, PART)]
    assert scene.state.tail is not None
    name, size = scene.state.tail
    assert name.startswith(str(tails_of(scene.session.key)))
    assert (size, scene.bucket.get(name)) == (6, b"a tail")
    scene.session.send(b" that grows")
    assert scene.state.tail is not None
    assert scene.bucket.get(scene.state.tail[0]) == b"a tail that grows"
    assert scene.session.whole() == ONE + b"a tail that grows"


def test_what_is_enough_for_a_part_is_one_when_acknowledged(scene: Scene) -> None:
    session = Session(S3Store(replace(scene.settings, part_size=8 * MIB)))
    session.send(b"a tail")
    session.send(ONE)
    state = State.parse(session.stored)
    assert state.tail is None
    assert [part.size for part in state.parts] == [PART + 6]


def test_to_acknowledge_nothing_new_costs_nothing(scene: Scene) -> None:
    scene.session.send(b"a tail")
    stored = scene.session.stored
    with scene.session.receive() as receiver:
        scene.proxy.seen.clear()
        assert receiver.sync() == stored
    assert scene.proxy.seen == []


def test_a_receiver_goes_on_after_it_has_acknowledged(scene: Scene) -> None:
    with scene.session.receive() as receiver:
        for piece in (ONE, b"a tail, ", TWO, THREE, b"another"):
            assert receiver.append([piece])
            scene.session.acknowledge(receiver, len(piece))
        assert receiver.seal()
    assert scene.content() == ONE + b"a tail, " + TWO + THREE + b"another"


def test_a_sealed_object_takes_nothing_more_and_gives_nothing_back(scene: Scene) -> None:
    with scene.session.receive() as receiver:
        assert receiver.append([b"whole"])
        assert receiver.seal()
        assert receiver.seal()
        assert not receiver.cut(0)
        assert receiver.append([b""])
        with pytest.raises(ObjectLost):
            receiver.append([b"more"])
    assert scene.content() == b"whole"


# Cutting


@pytest.mark.parametrize("unkept", [b" and", TWO, TWO + THREE + b" and"])
def test_a_cut_gives_back_parts_and_tails_that_came_after(scene: Scene, unkept: bytes) -> None:
    with scene.session.receive() as receiver:
        assert receiver.append([ONE, b"a tail"])
        scene.session.acknowledge(receiver, PART + 6)
        assert receiver.append([unkept])
        receiver.sync()
        assert receiver.append([unkept])
        assert receiver.cut(PART + 6)
        assert receiver.append([b", kept"])
        assert receiver.seal()
    assert scene.content() == ONE + b"a tail, kept"


def test_a_cut_to_the_beginning_names_no_part_that_was_there(scene: Scene) -> None:
    scene.session.send(ONE + b"a tail")
    with scene.session.receive() as receiver:
        assert receiver.append([TWO])
        assert receiver.cut(0)
        assert receiver.append([b"anew"])
        assert receiver.seal()
    assert scene.content() == b"anew"
    assert not scene.bucket.uploads(str(scene.session.key))


def test_a_cut_to_where_nothing_was_acknowledged_is_refused(scene: Scene) -> None:
    with scene.session.receive() as receiver:
        assert receiver.append([ONE])
        with pytest.raises(ValueError, match="was not acknowledged at 7"):
            receiver.cut(7)


# What is not there


def test_a_session_whose_upload_is_gone_is_lost(scene: Scene) -> None:
    scene.session.send(ONE)
    Multipart(scene.bucket, str(scene.session.key)).abort_all()
    with pytest.raises(ObjectLost):
        scene.session.receive()


def test_an_upload_that_goes_while_it_is_sent_to_is_lost(scene: Scene) -> None:
    with scene.session.receive() as receiver:
        assert receiver.append([ONE])
        receiver.sync()
        Multipart(scene.bucket, str(scene.session.key)).abort_all()
        with pytest.raises(ObjectLost):
            send_and_seal(receiver, TWO + THREE)


@pytest.mark.parametrize("there", [None, b"short"])
def test_a_session_whose_tail_is_gone_is_lost(scene: Scene, there: bytes | None) -> None:
    scene.session.send(b"a tail")
    assert scene.state.tail is not None
    scene.bucket.delete_under(str(tails_of(scene.session.key)))
    if there is not None:
        scene.bucket.put(scene.state.tail[0], there)
    with pytest.raises(ObjectLost):
        scene.session.receive()


def test_a_state_that_is_none_is_a_lost_object(scene: Scene) -> None:
    scene.session.stored = "of another store"
    with pytest.raises(ObjectLost):
        scene.session.receive()


def test_a_store_that_lies_about_a_parts_entity_tag_seals_nothing(scene: Scene) -> None:
    scene.proxy.fail("UploadPart", Fault.LIE_ABOUT_ETAG)
    with scene.session.receive() as receiver:
        assert receiver.append([ONE, TWO])
        with pytest.raises(ObjectLost):
            receiver.seal()
    assert scene.store.size(scene.session.key) is None


def test_a_part_whose_number_does_not_exist_has_no_room(scene: Scene) -> None:
    multipart = Multipart(scene.bucket, str(scene.session.key))
    with pytest.raises(StorageFull):
        multipart.send(multipart.begin(), 10_001, b"bytes")
