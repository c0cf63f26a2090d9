"""Memory stays flat: neither the size of a layer nor the number of uploads at once shows in a worker's peak.

The large layer has 1 GiB; with LARGE=1 it has the 10 GiB of the promise, and takes a few minutes.
"""

import contextlib
import hashlib
import http.client
import itertools
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.images import random_bytes
from tests.support.replicas import replicas
from tests.support.s3 import S3Server, s3_server
from tests.support.server import RunningServer
from tests.system.conversation import PATIENCE, Upload, address_of, sha256, slices
from tests.system.processes import processes_of
from tests.system.require import require

__all__ = ["s3_server"]

MEBIBYTE = 1 << 20
GIBIBYTES = 10 if os.environ.get("LARGE") == "1" else 1
MOST = 200 * MEBIBYTE
# Both drivers, the bodies as above, 32 MiB of parts that gather, 64 on their way, and 8 in the hands of each thread.
MOST_WITH_S3 = 400 * MEBIBYTE
NAME = "faults/memory"


@pytest.mark.timeout(900)
def test_a_layer_of_gigabytes_goes_up_and_down_in_flat_memory(server: RunningServer) -> None:
    free = shutil.disk_usage(server.data).free
    require(free > (GIBIBYTES + 2) << 30, f"{GIBIBYTES} GiB and some do not fit on the disk: {free >> 20} MiB are free")
    digest = f"sha256:{_digest_of(_large_layer())}"
    upload = Upload.begin(address_of(server), NAME)
    upload.stream(_large_layer()).expect(202)
    upload.close(digest).expect(201)
    assert _downloaded(server, digest) == digest
    _assert_flat(server)


@pytest.mark.timeout(300)
def test_fifty_uploads_at_once_fit_into_flat_memory(server: RunningServer) -> None:
    _push_fifty_at_once(server, 24 * MEBIBYTE)
    _assert_flat(server)


@pytest.mark.timeout(300)
def test_fifty_uploads_at_once_to_s3_fit_into_flat_memory(tmp_path: Path, s3_server: S3Server) -> None:
    """Each gathers parts of 8 MiB, which would be 400 MiB in memory, and eight are on their way at a time."""
    with replicas(tmp_path, s3_server, {"open": True}, count=1) as (server,):
        _push_fifty_at_once(server, 12 * MEBIBYTE)
        _assert_flat(server, MOST_WITH_S3)


def _push_fifty_at_once(server: RunningServer, size: int) -> None:
    """All fifty have begun before the first one sends its body, and half of them announce no length."""
    together, tail = threading.Barrier(50), random_bytes("fifty", size)

    def push(number: int) -> int:
        data = b"%032d" % number + tail
        upload = Upload.begin(address_of(server), f"{NAME}/{number}")
        together.wait()
        if number % 2:
            return upload.close(sha256(data), data).status
        upload.stream(slices(data, 300_000)).expect(202)
        return upload.close(sha256(data)).status

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(push, range(50))) == {201}


@pytest.mark.timeout(300)
def test_fifty_stalled_readers_fit_into_flat_memory(server: RunningServer) -> None:
    """Who asks for a large blob and does not read it must not have it waiting in the server's memory."""
    data = random_bytes("stalled", 64 * MEBIBYTE)
    upload = Upload.begin(address_of(server), NAME)
    upload.close(sha256(data), data).expect(201)
    _assert_flat_while_readers_stall(server, data)


@pytest.mark.timeout(300)
def test_fifty_stalled_readers_of_what_s3_has_fit_into_flat_memory(tmp_path: Path, s3_server: S3Server) -> None:
    data = random_bytes("stalled", 64 * MEBIBYTE)
    with replicas(tmp_path, s3_server, {"open": True, "s3_redirect": False}, count=1) as (server,):
        upload = Upload.begin(address_of(server), NAME)
        upload.close(sha256(data), data).expect(201)
        _assert_flat_while_readers_stall(server, data, MOST_WITH_S3)


def _assert_flat_while_readers_stall(server: RunningServer, data: bytes, most: int = MOST) -> None:
    with contextlib.ExitStack() as open_ones:
        readers = [open_ones.enter_context(contextlib.closing(_asked_for(server, sha256(data)))) for _ in range(50)]
        for reader in readers:
            assert open_ones.enter_context(reader.getresponse()).read(MEBIBYTE) == data[:MEBIBYTE]
        _assert_flat(server, most)


def _large_layer() -> Iterator[bytes]:
    """Slices that differ from each other, so that one which is lost, doubled or misplaced is noticed."""
    filling = bytes(MEBIBYTE - 16)
    return (b"%016d" % number + filling for number in itertools.islice(itertools.count(), GIBIBYTES * 1024))


def _digest_of(chunks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _downloaded(server: RunningServer, digest: str) -> str:
    """The digest of what a GET answers."""
    with contextlib.closing(_asked_for(server, digest)) as connection, connection.getresponse() as response:
        assert response.status == 200
        return f"sha256:{_digest_of(iter(lambda: response.read(MEBIBYTE), b''))}"


def _asked_for(server: RunningServer, digest: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(*address_of(server), timeout=PATIENCE)
    connection.request("GET", f"/v2/{NAME}/blobs/{digest}")
    return connection


def _assert_flat(server: RunningServer, most: int = MOST) -> None:
    peaks = {process.pid: process.peak_memory >> 20 for process in processes_of(server)}
    assert len(peaks) >= server.workers
    assert max(peaks.values()) <= most >> 20, f"MiB at most resident, by process: {peaks}"
