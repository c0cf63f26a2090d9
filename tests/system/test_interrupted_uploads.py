"""An upload that was cut off goes on elsewhere, and whoever is cut off cannot spoil what the next one writes.

Two servers over one data folder stand for two workers that share nothing else: with the workers of one server nobody
can choose which of them a connection meets.
"""

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.support.images import random_bytes
from tests.support.server import RunningServer
from tests.system.conversation import (
    Address,
    OpenRequest,
    Upload,
    address_of,
    get_blob,
    head_blob,
    push_blob,
    sha256,
    slices,
)
from tests.system.objects import objects_of, wait_for_bytes
from tests.system.waiting import eventually

MEBIBYTE = 1 << 20
DATA = random_bytes("interrupted", 6 * MEBIBYTE)
DIGEST = sha256(DATA)
NOISE = random_bytes("noise", 6 * MEBIBYTE)
NAME = "faults/interrupted"

Leave = Callable[[OpenRequest], None]


@pytest.fixture
def here(server: RunningServer) -> Address:
    return address_of(server)


@pytest.fixture
def there(server: RunningServer) -> Iterator[Address]:
    """Another worker of the same folder."""
    with RunningServer(server.data, server.settings) as other:
        yield address_of(other)


@pytest.mark.parametrize("leave", [OpenRequest.vanish, OpenRequest.hang_up], ids=["with a reset", "by closing"])
def test_a_dropped_patch_goes_on_where_the_get_says(here: Address, there: Address, leave: Leave) -> None:
    upload = Upload.begin(here, NAME)
    request = upload.opened("PATCH", len(DATA))
    request.send(DATA[: 4 * MEBIBYTE])
    leave(request)
    offset = upload.at(there).offset()
    assert offset <= 4 * MEBIBYTE
    upload.at(there).patch(DATA[offset:], start=offset).expect(202)
    upload.at(here).close(DIGEST).expect(201)
    assert get_blob(there, NAME, DIGEST).body == DATA


def test_a_dropped_patch_keeps_what_had_arrived(server: RunningServer, here: Address) -> None:
    """Not a MUST, but why else resume: what lay in the server's hands when the client left is not thrown away."""
    upload = Upload.begin(here, NAME)
    with upload.opened("PATCH", len(DATA)) as request:
        request.send(DATA[: 4 * MEBIBYTE])
    # Not by asking for the offset: that takes the session from whoever is about to put the last bytes away.
    eventually("the server knows that the client left", lambda: '"method":"PATCH"' in server.output())
    assert upload.offset() >= 3 * MEBIBYTE


def test_a_dropped_stream_of_unknown_length_goes_on(here: Address, there: Address) -> None:
    upload = Upload.begin(here, NAME)
    request = upload.opened_stream()
    for chunk in slices(DATA[: 3 * MEBIBYTE], 100_000):
        request.send_chunk(chunk)
    request.vanish()
    offset = upload.at(there).offset()
    upload.at(there).stream(slices(DATA[offset:], 333_333)).expect(202)
    upload.at(there).close(DIGEST).expect(201)
    assert get_blob(here, NAME, DIGEST).body == DATA


def test_an_upload_may_change_its_worker_with_every_request(here: Address, there: Address) -> None:
    upload = Upload.begin(here, NAME)
    for number, chunk in enumerate(slices(DATA, MEBIBYTE)):
        upload.at(there if number % 2 == 0 else here).patch(chunk, start=number * MEBIBYTE).expect(202)
    upload.at(there).close(DIGEST).expect(201)
    assert get_blob(here, NAME, DIGEST).body == DATA


def test_a_chunk_from_the_wrong_place_is_told_the_right_one(here: Address, there: Address) -> None:
    """podman and buildah restart a chunk at 0: a 416 that says where to continue ends the loop."""
    upload = Upload.begin(here, NAME)
    upload.patch(DATA[:MEBIBYTE]).expect(202)
    refused = upload.at(there).patch(DATA[:MEBIBYTE], start=0).expect(416)
    assert refused.headers["range"] == f"0-{MEBIBYTE - 1}"
    assert refused.headers["location"]
    upload.at(there).patch(DATA[MEBIBYTE:], start=MEBIBYTE).expect(202)
    upload.at(here).close(DIGEST).expect(201)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_stalled_connection_never_mixes_its_bytes_into_the_next_one(
    server: RunningServer, here: Address, there: Address, method: str
) -> None:
    upload = Upload.begin(here, NAME)
    second = upload.at(there)
    with upload.opened(method, len(NOISE), digest=DIGEST if method == "PUT" else "") as stalled:
        stalled.send(NOISE[: 2 * MEBIBYTE - 1])
        wait_for_bytes(server)
        offset = second.offset()
        # What the session has kept by now is the first one's; all that follows is the second one's.
        goal = NOISE[:offset] + DATA
        second.patch(goal[offset : offset + MEBIBYTE], start=offset).expect(202)
        _finish_in_vain(stalled, NOISE[2 * MEBIBYTE - 1 :])
    assert second.offset() == offset + MEBIBYTE
    second.patch(goal[offset + MEBIBYTE :], start=offset + MEBIBYTE).expect(202)
    second.close(sha256(goal)).expect(201)
    assert get_blob(here, NAME, sha256(goal)).body == goal


def test_many_stalled_connections_never_mix_their_bytes(server: RunningServer, here: Address, there: Address) -> None:
    """Each takes the session from the one before it, on either worker, and wakes up when it is too late."""
    upload, kept = Upload.begin(here, NAME), b""
    with contextlib.ExitStack() as stalled:
        requests = []
        for number, (worker, next_worker) in enumerate([(there, here), (here, there)] * 3):
            sent = random_bytes(f"stalled/{number}", 2 * MEBIBYTE)
            request = stalled.enter_context(upload.at(worker).opened("PATCH", 3 * MEBIBYTE, start=len(kept)))
            request.send(sent)
            # Not by their number: what an earlier request left beyond the offset is cut only when this one is taken in.
            eventually("its bytes are on disk", partial(_is_on_disk, server, sent[:1024], len(kept)))
            requests.append(request)
            kept += sent[: upload.at(next_worker).offset() - len(kept)]
        for request in requests:
            _finish_in_vain(request, NOISE[:MEBIBYTE])
    assert upload.offset() == len(kept)
    upload.patch(DATA, start=len(kept)).expect(202)
    upload.close(sha256(kept + DATA)).expect(201)
    assert get_blob(there, NAME, sha256(kept + DATA)).body == kept + DATA


def test_a_closing_put_whose_201_was_lost_answers_201_again(here: Address, there: Address) -> None:
    upload = Upload.begin(here, NAME)
    upload.patch(DATA).expect(202)
    with upload.opened("PUT", 0, DIGEST) as request:
        eventually("the unread PUT committed the blob", lambda: head_blob(there, NAME, DIGEST).status == 200)
        request.vanish()
    for worker in (here, there):
        again = upload.at(worker).close(DIGEST).expect(201)
        assert again.headers["docker-content-digest"] == DIGEST
        assert again.headers["location"].endswith(f"/v2/{NAME}/blobs/{DIGEST}")


def test_a_closing_put_with_a_body_may_be_repeated_too(here: Address, there: Address) -> None:
    upload = Upload.begin(here, NAME)
    first = upload.close(DIGEST, DATA).expect(201)
    again = upload.at(there).close(DIGEST, DATA).expect(201)
    assert again.headers["location"] == first.headers["location"]
    assert get_blob(here, NAME, DIGEST).body == DATA


def test_a_finished_session_does_not_take_another_digest(here: Address) -> None:
    upload = Upload.begin(here, NAME)
    upload.close(DIGEST, DATA).expect(201)
    assert upload.close(sha256(NOISE), NOISE).status in {400, 404, 409}
    head_blob(here, NAME, sha256(NOISE)).expect(404)


def test_two_pushes_of_one_blob_at_once_both_succeed(server: RunningServer, here: Address, there: Address) -> None:
    uploads = [Upload.begin(address, name) for address in (here, there) for name in (f"{NAME}/left", f"{NAME}/right")]
    together = threading.Barrier(len(uploads))

    def close(upload: Upload) -> int:
        together.wait()
        return upload.close(DIGEST, DATA).status

    with ThreadPoolExecutor(len(uploads)) as pool:
        assert set(pool.map(close, uploads)) == {201}
    # All four wrote an object of their own; three must go, and never the one that is served.
    eventually("one object is left", lambda: len(objects_of(server)) == 1)
    for name in (f"{NAME}/left", f"{NAME}/right"):
        assert get_blob(here, name, DIGEST).body == DATA
    assert push_blob(there, NAME, DATA) == DIGEST


def _is_on_disk(server: RunningServer, beginning: bytes, offset: int) -> bool:
    return any(path.read_bytes()[offset:].startswith(beginning) for path in objects_of(server))


def _finish_in_vain(request: OpenRequest, rest: bytes) -> None:
    """Send what is left as a client does that knows nothing; the server may refuse it or be gone from the line.

    A server that does neither lets the client wait until it times out, and that fails the test.
    """
    with contextlib.suppress(ConnectionError, http.client.HTTPException):
        request.send(rest)
        assert request.answer().status >= 400
