"""kill -9 at each step of a push: afterwards there is nothing, or the whole blob, and no 201 was in vain.

A step that was acknowledged is kept over the kill, so the client goes on from there and not from the beginning.
"""

import http.client
import os
import signal
import threading
import time
from functools import partial

import pytest

from tests.support.images import random_bytes, tiny_image
from tests.support.server import RunningServer
from tests.system.conversation import Upload, address_of, ask, get_blob, head_blob, push_blob, sha256
from tests.system.objects import wait_for_bytes
from tests.system.processes import processes_of
from tests.system.waiting import eventually

MEBIBYTE = 1 << 20
DATA = random_bytes("killed", 4 * MEBIBYTE)
DIGEST = sha256(DATA)
NAME = "faults/killed"

# Most of the time goes into starting servers, and a crowded machine takes long for that.
pytestmark = pytest.mark.timeout(300)


def test_a_session_outlives_a_kill_after_the_post(server: RunningServer) -> None:
    upload = Upload.begin(address_of(server), NAME)
    _kill_and_start(server)
    assert upload.offset() == 0
    upload.close(DIGEST, DATA).expect(201)
    assert get_blob(address_of(server), NAME, DIGEST).body == DATA


def test_a_kill_in_the_middle_of_a_patch_leaves_nothing_visible(server: RunningServer) -> None:
    upload = Upload.begin(address_of(server), NAME)
    with upload.opened("PATCH", len(DATA)) as request:
        request.send(DATA[: 3 * MEBIBYTE])
        wait_for_bytes(server)
        _kill_and_start(server)
    head_blob(address_of(server), NAME, DIGEST).expect(404)
    offset = upload.offset()
    assert offset <= 3 * MEBIBYTE
    upload.patch(DATA[offset:], start=offset).expect(202)
    upload.close(DIGEST).expect(201)
    assert get_blob(address_of(server), NAME, DIGEST).body == DATA


def test_an_acknowledged_patch_outlives_a_kill(server: RunningServer) -> None:
    upload = Upload.begin(address_of(server), NAME)
    upload.patch(DATA[:MEBIBYTE]).expect(202)
    _kill_and_start(server)
    assert upload.offset() == MEBIBYTE
    upload.patch(DATA[MEBIBYTE:], start=MEBIBYTE).expect(202)
    _kill_and_start(server)
    head_blob(address_of(server), NAME, DIGEST).expect(404)
    upload.close(DIGEST).expect(201)
    assert get_blob(address_of(server), NAME, DIGEST).body == DATA


def test_a_kill_in_the_middle_of_the_closing_put_keeps_what_was_acknowledged(server: RunningServer) -> None:
    upload = Upload.begin(address_of(server), NAME)
    upload.patch(DATA[:MEBIBYTE]).expect(202)
    with upload.opened("PUT", len(DATA) - MEBIBYTE, DIGEST) as request:
        request.send(DATA[MEBIBYTE : 3 * MEBIBYTE])
        wait_for_bytes(server, more_than=MEBIBYTE)
        _kill_and_start(server)
    head_blob(address_of(server), NAME, DIGEST).expect(404)
    offset = upload.offset()
    assert MEBIBYTE <= offset <= 3 * MEBIBYTE
    upload.close(DIGEST, DATA[offset:]).expect(201)
    assert get_blob(address_of(server), NAME, DIGEST).body == DATA


def test_a_blob_whose_201_was_read_outlives_a_kill(server: RunningServer) -> None:
    """A small one and a large one: they need not be kept in the same way."""
    for size in (100, 3 * MEBIBYTE):
        digest = push_blob(address_of(server), NAME, DATA[:size])
        _kill_and_start(server)
        assert get_blob(address_of(server), NAME, digest).expect(200).body == DATA[:size]


def test_a_kill_around_the_commit_leaves_nothing_or_the_whole_blob(server: RunningServer) -> None:
    """The kill comes at a different moment of the same request each time, from before its body to after its answer."""
    outcomes = []
    for number, delay in enumerate((0.0, 0.001, 0.003, 0.01, 0.03)):
        data = random_bytes(f"commit/{number}", 300_000)
        upload = Upload.begin(address_of(server), NAME)
        request = upload.opened("PUT", len(data), sha256(data))
        request.send(data)
        time.sleep(delay)
        server.kill()
        try:
            answered = request.answer().status
        except (OSError, http.client.HTTPException):
            answered = 0
        server.start()
        found = get_blob(address_of(server), NAME, sha256(data))
        assert (found.status, found.body == data) in {(200, True), (404, False)}
        assert (answered, found.status) != (201, 404)
        outcomes.append(found.status)
        # Whichever it was, the client that comes back ends with a blob.
        upload.close(sha256(data), b"" if found.status == 200 else data[upload.offset() :]).expect(201)
    assert outcomes


def test_every_manifest_whose_201_was_read_outlives_a_kill(server: RunningServer) -> None:
    image = tiny_image(NAME)
    for blob in image.blobs:
        push_blob(address_of(server), NAME, blob.data)
    acknowledged: dict[str, bytes] = {}
    for prefix in ("a", "b", "c"):
        pusher = threading.Thread(target=_push_manifests, args=(server, prefix, acknowledged))
        pusher.start()
        eventually("ten manifests are pushed", partial(acknowledged.get, f"{prefix}-10"))
        server.kill()
        pusher.join()
        server.start()
        for tag, manifest in acknowledged.items():
            found = ask(address_of(server), "GET", f"/v2/{NAME}/manifests/{tag}", {"Accept": image.media_type})
            assert found.expect(200).body == manifest
            ask(address_of(server), "HEAD", f"/v2/{NAME}/manifests/{sha256(manifest)}").expect(200)


def test_one_killed_worker_takes_nobody_else_along(server: RunningServer) -> None:
    digest = push_blob(address_of(server), NAME, DATA)
    workers = [process for process in processes_of(server) if process.parent == server.pid]
    assert len(workers) >= server.workers
    for worker in workers:
        os.kill(worker.pid, signal.SIGKILL)
        eventually("the server answers again", lambda: _answers(server))
        assert get_blob(address_of(server), NAME, digest).expect(200).body == DATA
    assert server.alive


def _kill_and_start(server: RunningServer) -> None:
    server.kill()
    server.start()


def _answers(server: RunningServer) -> bool:
    """Whether four connections in a row are served: each may meet another worker."""
    try:
        return all(ask(address_of(server), "GET", "/healthz").status == 200 for _ in range(4))
    except (OSError, http.client.HTTPException):
        return False


def _push_manifests(server: RunningServer, prefix: str, acknowledged: dict[str, bytes]) -> None:
    """Put one manifest after another, each with a tag of its own, until the server is gone."""
    number = 0
    while True:
        number += 1
        image = tiny_image(NAME, annotations={"number": f"{prefix}-{number}"})
        target = f"/v2/{NAME}/manifests/{prefix}-{number}"
        try:
            ask(address_of(server), "PUT", target, {"Content-Type": image.media_type}, image.manifest).expect(201)
        except (OSError, http.client.HTTPException):
            return
        acknowledged[f"{prefix}-{number}"] = image.manifest
