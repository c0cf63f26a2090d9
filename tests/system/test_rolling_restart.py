"""Replicas that are told to stop, one after the other: they take no more, end what they can, and park the rest."""

from __future__ import annotations

import http.client
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.support.replicas import replicas
from tests.support.s3 import S3Server, s3_server
from tests.support.server import RunningServer, Setting
from tests.system.balancer import balancing
from tests.system.conversation import Upload, address_of, ask, sha256
from tests.system.crowd import Crowd, Fleet
from tests.system.waiting import eventually

__all__ = ["s3_server"]

WRITERS = READERS = 4


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    settings: dict[str, Setting] = {"open": True, "s3_redirect": False, "drain_timeout": "5s"}
    with replicas(folder, s3_server, settings, count=3, workers=2) as servers, balancing(folder, servers) as host:
        yield Fleet(servers, host)


def test_no_client_fails_while_every_replica_is_restarted(fleet: Fleet, repository: str) -> None:
    # What is pushed is read once more in the end; all that matters is that somebody is always at it.
    crowd = Crowd(fleet, repository, pause=0.3)
    with ThreadPoolExecutor(WRITERS + READERS) as threads:
        work = [threads.submit(crowd.write, number) for number in range(WRITERS)]
        work += [threads.submit(crowd.read) for _ in range(READERS)]
        try:
            for server in fleet.servers:
                enough = len(crowd.acknowledged) + WRITERS
                assert server.stop() == 0
                server.start()
                eventually("pushes go on", partial(crowd.has_pushed, enough))
        finally:
            crowd.end = time.monotonic()
        for each in work:
            each.result()
    crowd.assert_nothing_is_lost()


def test_an_upload_that_a_leaving_replica_parks_goes_on_at_another(fleet: Fleet, repository: str) -> None:
    leaving, staying, _ = fleet.servers
    data = random.Random(repository).randbytes(20 << 20)  # noqa: S311 - any bytes will do
    upload = Upload.begin(address_of(leaving), repository)
    with upload.opened("PATCH", length=len(data)) as request, ThreadPoolExecutor(1) as threads:
        request.send(data[: 12 << 20])
        # It ends although its client would take for ever.
        stopped = threads.submit(leaving.stop)
        with pytest.raises((OSError, http.client.HTTPException)):
            request.answer()
        assert stopped.result() == 0
    at_another = upload.at(address_of(staying))
    offset = at_another.offset()
    # Parts and a tail: nobody had acknowledged any of it before.
    assert 0 < offset <= 12 << 20
    at_another.patch(data[offset:], start=offset).expect(202)
    at_another.close(sha256(data)).expect(201)
    leaving.start()
    answer = ask(address_of(leaving), "GET", f"/v2/{repository}/blobs/{sha256(data)}").expect(200)
    assert answer.body == data


def test_what_is_nearly_done_is_done_before_a_replica_leaves(fleet: Fleet, repository: str) -> None:
    leaving, staying, _ = fleet.servers
    data = random.Random(repository).randbytes(1 << 20)  # noqa: S311 - any bytes will do
    upload = Upload.begin(address_of(leaving), repository)
    with upload.opened("PATCH", length=len(data)) as request, ThreadPoolExecutor(1) as threads:
        request.send(data[:-1])
        stopped = threads.submit(leaving.stop)
        eventually("nobody listens any more", lambda: not is_listening(leaving))
        request.send(data[-1:])
        answer = request.answer().expect(202)
        assert answer.headers["connection"] == "close"
        assert stopped.result() == 0
    upload.at(address_of(staying)).close(sha256(data)).expect(201)
    leaving.start()


def is_listening(server: RunningServer) -> bool:
    with socket.socket() as client:
        return client.connect_ex(address_of(server)) == 0
