"""Three replicas over PostgreSQL and S3, behind a balancer in turns: what one has begun another one ends."""

import itertools
import os
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.support.client import RegistryClient
from tests.support.images import Blob, tiny_image
from tests.support.replicas import RoundRobin, replicas
from tests.support.s3 import S3Server, s3_server
from tests.support.server import RunningServer
from tests.system.balancer import balancing
from tests.system.command import Command
from tests.system.crowd import Crowd, Fleet
from tests.system.deployments import elsewhere
from tests.system.docker_images import build, layer, pull_anew, push
from tests.system.processes import Process, processes_of
from tests.system.waiting import eventually

__all__ = ["s3_server"]

SECONDS = 120
WRITERS = READERS = 15


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    settings = {"open": True, "s3_redirect": False}
    with replicas(folder, s3_server, settings, count=3, workers=2) as servers, balancing(folder, servers) as host:
        yield Fleet(servers, host)


@elsewhere
def test_docker_pushes_twenty_layers_to_whoever_has_the_turn(docker: Command, fleet: Fleet, repository: str) -> None:
    name = f"{fleet.host}/{repository}:1"
    made = build(docker, name, *(layer(f"{repository}/{number}") for number in range(20)))
    push(docker, name)
    assert pull_anew(docker, name) == made


@elsewhere
def test_docker_follows_a_redirect_to_the_store(
    docker: Command, tmp_path: Path, s3_server: S3Server, repository: str
) -> None:
    with replicas(tmp_path, s3_server, {"open": True, "s3_redirect": True}, count=1) as (server,):
        name = f"{server.host}/{repository}:1"
        made = build(docker, name, layer(f"{repository}/1", 1 << 20), layer(f"{repository}/2"))
        push(docker, name)
        assert pull_anew(docker, name) == made
        # Both layers came from the store, the small config from a row.
        eventually("the log tells of the redirect", lambda: server.output().count('"status":307') == 2)


def test_an_upload_goes_on_with_every_chunk_on_another_replica(fleet: Fleet, repository: str) -> None:
    data = random.Random(repository).randbytes(20 << 20)  # noqa: S311 - any bytes will do
    with httpx.Client(transport=RoundRobin(fleet.servers), base_url=fleet.servers[0].url, timeout=30) as http:
        client = RegistryClient(http)
        location = client.start_upload(repository).headers["location"]
        sent = 0
        for size in (5 << 20, 1000, 7 << 20, 1, 3 << 20, len(data)):
            chunk = data[sent : sent + size]
            location = client.patch(location, chunk, at=sent).headers["location"]
            sent += len(chunk)
        blob = Blob(data)
        assert client.close_upload(location, blob.digest).status_code == 201
        assert client.blob(repository, blob.digest).content == data


def test_what_one_replica_deletes_is_gone_on_all_at_the_next_request(fleet: Fleet, repository: str) -> None:
    image = tiny_image(repository)
    with ExitStack() as stack:
        one, *others = (RegistryClient(stack.enter_context(server.http())) for server in fleet.servers)
        for number in range(5):
            digest = one.push_image(repository, image, f"v{number}").headers["docker-content-digest"]
            assert [each.manifest(repository, f"v{number}").status_code for each in others] == [200, 200]
            assert one.delete_manifest(repository, f"v{number}").status_code == 202
            assert [each.manifest(repository, f"v{number}").status_code for each in others] == [404, 404]
            assert [each.manifest(repository, digest).status_code for each in others] == [200, 200]


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 180)
def test_under_load_and_with_processes_killed_nothing_acknowledged_is_lost(fleet: Fleet, repository: str) -> None:
    # Each image is read once more in the end: thirty who are always at it matter, not how many they push.
    crowd = Crowd(fleet, repository, time.monotonic() + SECONDS, pause=0.3)
    with ThreadPoolExecutor(WRITERS + READERS + 1) as threads:
        work = [threads.submit(crowd.write, number) for number in range(WRITERS)]
        work += [threads.submit(crowd.read) for _ in range(READERS)]
        work.append(threads.submit(kill_in_turns, fleet, crowd.end - 10))
        for each in work:
            each.result()
    assert len(crowd.acknowledged) > WRITERS
    crowd.assert_nothing_is_lost()


def kill_in_turns(fleet: Fleet, until: float) -> None:
    """A whole replica, which its operator starts again, then a single worker, which its supervisor replaces."""
    for turn in itertools.count():
        time.sleep(4)
        if time.monotonic() > until:
            return
        victim = random.choice(fleet.servers)  # noqa: S311 - any of them
        if turn % 2:
            worker = random.choice(workers_of(victim))  # noqa: S311 - any of them
            os.kill(worker.pid, signal.SIGKILL)
        else:
            victim.kill()
            time.sleep(1)
            victim.start()


def workers_of(server: RunningServer) -> list[Process]:
    """Not the process that the interpreter keeps beside them."""
    children = [each for each in processes_of(server) if each.parent == server.pid]
    return [each for each in children if b"spawn_main" in Path(f"/proc/{each.pid}/cmdline").read_bytes()]
