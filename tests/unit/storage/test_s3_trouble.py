"""What goes wrong on the way into a bucket, what an earlier request cannot spoil, and how much memory it all takes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from registry.core.ports import ObjectLost
from registry.oci.errors import Unavailable
from registry.storage.s3 import S3Store
from registry.storage.s3_client import MIB
from registry.storage.s3_memory import give_back_large_blocks
from registry.storage.s3_multipart import MOST_IN_FLIGHT
from tests.support.receiving import Session, content
from tests.support.s3 import S3Server, s3_server
from tests.support.s3_faults import Fault
from tests.unit.storage.s3_scene import ONE, PART, THREE, TWO, Scene, scene, send_and_seal

__all__ = ["s3_server", "scene"]


# Trouble on the way


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.INTERNAL_ERROR, Fault.CUT_REQUEST, Fault.LOSE_ANSWER])
@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_what_fails_once_is_tried_again(scene: Scene, operation: str, fault: Fault) -> None:
    scene.proxy.fail(operation, fault)
    with scene.session.receive() as receiver:
        assert receiver.append([ONE, TWO, b"the rest"])
        assert receiver.seal()
    assert scene.content() == ONE + TWO + b"the rest"


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.CUT_REQUEST, Fault.LOSE_ANSWER])
def test_a_single_put_that_fails_once_is_tried_again(scene: Scene, fault: Fault) -> None:
    scene.proxy.fail("PutObject", fault)
    with scene.session.receive() as receiver:
        assert receiver.append([b"small"])
        assert receiver.seal()
    assert scene.content() == b"small"


def test_an_upload_that_an_attempt_of_ours_has_completed_is_whole(scene: Scene) -> None:
    scene.proxy.fail("CompleteMultipartUpload", Fault.LOSE_ANSWER)
    scene.proxy.fail("CompleteMultipartUpload", Fault.NO_SUCH_UPLOAD)
    with scene.session.receive() as receiver:
        assert receiver.append([ONE, b"the rest"])
        assert receiver.seal()
    assert scene.content() == ONE + b"the rest"


def test_an_upload_that_nobody_has_completed_is_lost(scene: Scene) -> None:
    scene.proxy.fail("CompleteMultipartUpload", Fault.NO_SUCH_UPLOAD)
    with scene.session.receive() as receiver:
        assert receiver.append([ONE])
        with pytest.raises(ObjectLost):
            receiver.seal()


@pytest.mark.parametrize("sent", [ONE, ONE + b"a tail"])
def test_a_session_whose_commit_was_lost_after_sealing_seals_again(scene: Scene, sent: bytes) -> None:
    scene.session.send(sent)
    scene.session.seal()
    with scene.session.receive() as receiver:
        assert receiver.sync() == scene.session.stored
        assert not receiver.cut(0)
        assert receiver.seal()
        with pytest.raises(ObjectLost):
            receiver.append([b"more"])
    assert scene.content() == sent


def test_a_small_session_whose_commit_was_lost_after_sealing_seals_again(scene: Scene) -> None:
    scene.session.send(b"small")
    scene.session.seal()
    assert scene.session.whole() == b"small"


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "PutObject", "CompleteMultipartUpload"])
def test_nothing_acknowledged_is_lost_to_a_store_that_never_has_time(scene: Scene, operation: str) -> None:
    session = Session(S3Store(replace(scene.settings, attempts=1)))
    session.send(b"acknowledged, ")
    scene.proxy.fail(operation, Fault.SLOW_DOWN, times=10)
    with session.receive() as receiver, pytest.raises(Unavailable):
        send_and_seal(receiver, ONE + b"not acknowledged")
    scene.proxy.heal()
    session.send(b"sent again")
    assert session.whole() == b"acknowledged, sent again"


def test_after_a_failure_nothing_comes_but_a_cut(scene: Scene) -> None:
    session = Session(S3Store(replace(scene.settings, attempts=1)))
    session.send(ONE + b"kept")
    with session.receive() as receiver:
        scene.proxy.fail("UploadPart", Fault.SLOW_DOWN)
        with pytest.raises(Unavailable):
            receiver.append([TWO])
        for step in (lambda: receiver.append([b""]), receiver.sync, receiver.seal, receiver.content):
            with pytest.raises(Unavailable):
                step()
        assert receiver.cut(PART + 4)
        assert receiver.append([b", and sent again"])
        assert receiver.seal()
    assert content(session.store, session.key) == ONE + b"kept, and sent again"


# An earlier request, still running


def test_an_earlier_requests_late_parts_never_stand_where_ours_do(scene: Scene) -> None:
    scene.session.send(ONE)
    receiver = scene.session.receive()
    # Its claim lands, and its part does not yet.
    scene.proxy.fail("UploadPart", Fault.NONE)
    scene.proxy.fail("UploadPart", Fault.HOLD)
    earlier = scene.beside(lambda: receiver.append([TWO]) and receiver.sync())
    scene.session.send(THREE)
    assert [part.number for part in scene.state.parts] == [1, 2 + MOST_IN_FLIGHT + 2]
    scene.let_go(earlier)
    assert scene.session.whole() == ONE + THREE


def test_an_earlier_request_whose_claim_comes_late_sends_no_part(scene: Scene) -> None:
    scene.session.send(ONE)
    receiver = scene.session.receive()
    scene.proxy.fail("UploadPart", Fault.HOLD)
    earlier = scene.beside(lambda: receiver.append([TWO]))
    scene.session.send(THREE)
    assert [part.number for part in scene.state.parts] == [1, 3]
    assert scene.let_go(earlier) is False
    assert scene.session.whole() == ONE + THREE


def test_a_request_that_goes_on_behind_its_own_acknowledgement_claims_again(scene: Scene) -> None:
    receiver = scene.session.receive()
    assert receiver.append([ONE])
    scene.session.acknowledge(receiver, PART)
    scene.proxy.fail("UploadPart", Fault.NONE)
    scene.proxy.fail("UploadPart", Fault.HOLD)
    earlier = scene.beside(lambda: receiver.append([TWO]) and receiver.sync())
    scene.session.send(THREE)
    scene.let_go(earlier)
    assert scene.session.whole() == ONE + THREE


def test_an_earlier_requests_late_completion_never_replaces_our_object(scene: Scene) -> None:
    receiver = scene.session.receive()
    assert receiver.append([ONE])
    scene.proxy.fail("CompleteMultipartUpload", Fault.HOLD)
    earlier = scene.beside(receiver.seal)
    with scene.session.receive() as ours:
        assert ours.append([TWO])
        assert ours.seal()
    assert scene.let_go(earlier) is ObjectLost
    assert scene.content() == TWO


@pytest.mark.parametrize("earlier_bytes", [b"earlier", ONE])
def test_an_earlier_request_never_replaces_our_single_put(scene: Scene, earlier_bytes: bytes) -> None:
    receiver = scene.session.receive()
    assert receiver.append([earlier_bytes])
    scene.proxy.fail("PutObject", Fault.HOLD)
    scene.proxy.fail("CompleteMultipartUpload", Fault.HOLD)
    earlier = scene.beside(receiver.seal)
    ours = Session(S3Store(replace(scene.settings, endpoint=scene.proxy.direct)), scene.session.key, epoch=7)
    ours.store.load_or_create_layout("an instance")  # type: ignore[attr-defined]
    scene.session.epoch += 1
    with ours.receive() as later:
        assert later.append([b"ours"])
        assert later.seal()
    assert scene.let_go(earlier) is ObjectLost
    assert scene.content() == b"ours"


def test_who_comes_after_an_earlier_requests_single_put_does_not_take_it_for_ours(scene: Scene) -> None:
    with scene.session.receive() as earlier:
        assert earlier.append([b"theirs"])
        assert earlier.seal()
    with scene.session.receive() as ours:
        assert ours.append([b"ours, "])
        with pytest.raises(ObjectLost):
            ours.seal()


# Memory

APPENDING = """
import resource, sys
from tests.support.receiving import Session
from registry.storage.s3 import S3Store
from registry.storage.s3_client import S3Settings

endpoint, prefix, access, secret = sys.argv[1:]
store = S3Store(S3Settings(
    "registry", prefix, endpoint=endpoint, access_key=access, secret_key=secret, path_style=True, concurrency=4
))
store.load_or_create_layout("an instance")
session = Session(store)
session.send(bytes(9 << 20))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with session.receive() as receiver:
    for _ in range(300):
        assert receiver.append([bytes(1 << 20)])
    assert receiver.seal()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, store.size(session.key))
"""


@pytest.mark.slow
def test_memory_is_bounded_by_the_parts_on_their_way(s3_server: S3Server) -> None:
    settings = s3_server.new_place()
    arguments = (settings.endpoint, settings.prefix, settings.access_key, settings.secret_key)
    run = subprocess.run(
        [sys.executable, "-c", APPENDING, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    grown, size = map(int, run.stdout.split())
    assert size == 309 * MIB
    # Four parts of 8 MiB on their way, one that fills, and a little of the interpreter's.
    assert grown * 1024 < 70 * MIB


def test_large_blocks_are_given_back_to_the_kernel() -> None:
    assert give_back_large_blocks()
