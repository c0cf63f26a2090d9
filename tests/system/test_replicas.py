"""Three replicas over PostgreSQL and S3, behind a balancer in turns: what one has begun another one ends."""

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.support.client import RegistryClient
from tests.support.images import Blob, TinyImage, tiny_image
from tests.support.replicas import RoundRobin, replicas
from tests.support.s3 import S3Server, s3_server
from tests.support.server import RunningServer
from tests.system.balancer import balancing
from tests.system.command import Command
from tests.system.docker_images import build, layer, pull_anew, push
from tests.system.waiting import eventually

__all__ = ["s3_server"]

SECONDS = 120
WRITERS = READERS = 15


@dataclass(frozen=True)
class Fleet:
    """The replicas, and where they are one."""

    servers: Sequence[RunningServer]
    host: str

    @contextmanager
    def client(self) -> Iterator[RegistryClient]:
        with httpx.Client(base_url=f"http://{self.host}", trust_env=False, timeout=30) as http:
            yield RegistryClient(http)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    settings = {"open": True, "s3_redirect": False}
    with replicas(folder, s3_server, settings, count=3) as servers, balancing(folder, servers) as host:
        yield Fleet(servers, host)


def test_docker_pushes_twenty_layers_to_whoever_has_the_turn(docker: Command, fleet: Fleet, repository: str) -> None:
    name = f"{fleet.host}/{repository}:1"
    made = build(docker, name, *(layer(f"{repository}/{number}") for number in range(20)))
    push(docker, name)
    assert pull_anew(docker, name) == made


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
def test_under_load_and_with_replicas_killed_nothing_acknowledged_is_lost(fleet: Fleet, repository: str) -> None:
    crowd = Crowd(fleet, repository, time.monotonic() + SECONDS)
    with ThreadPoolExecutor(WRITERS + READERS + 1) as threads:
        work = [threads.submit(crowd.write, number) for number in range(WRITERS)]
        work += [threads.submit(crowd.read) for _ in range(READERS)] + [threads.submit(crowd.kill)]
        for each in work:
            each.result()
    assert not crowd.failures
    assert len(crowd.acknowledged) > WRITERS
    with fleet.client() as client:
        for (name, tag), image in crowd.acknowledged.items():
            check(client, name, tag, image)


@dataclass
class Crowd:
    """Who pushes and pulls until `end`, and who kills; every image that was ever acknowledged is remembered."""

    fleet: Fleet
    repository: str
    end: float
    acknowledged: dict[tuple[str, str], TinyImage] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def write(self, number: int) -> None:
        name = f"{self.repository}/{number % 5}"
        with self.fleet.client() as client:
            for turn in itertools.count():
                if time.monotonic() > self.end:
                    return
                image, tag = tiny_image(f"{name} {number} {turn}", layers=2), f"w{number}-{turn}"
                if self._patiently(partial(client.push_image, name, image, tag)):
                    self.acknowledged[name, tag] = image

    def read(self) -> None:
        with self.fleet.client() as client:
            while time.monotonic() < self.end:
                if self.acknowledged:
                    (name, tag), image = random.choice(list(self.acknowledged.items()))  # noqa: S311 - any of them
                    self._patiently(partial(check, client, name, tag, image))

    def kill(self) -> None:
        while time.monotonic() < self.end - 10:
            time.sleep(8)
            victim = random.choice(self.fleet.servers)  # noqa: S311 - any of them
            victim.kill()
            time.sleep(1)
            victim.start()

    def _patiently(self, ask: Callable[[], object]) -> bool:
        """As clients try again what a dropped connection or a 5xx spoils; whether it came to an end."""
        problem = ""
        for attempt in range(5):
            try:
                ask()
            except (httpx.TransportError, AssertionError) as error:
                problem = repr(error)
                time.sleep(0.5 * (attempt + 1))
            else:
                return True
        self.failures.append(problem)
        return False


def check(client: RegistryClient, name: str, tag: str, image: TinyImage) -> None:
    """That all of it is there, byte for byte."""
    manifest = client.manifest(name, tag)
    assert manifest.status_code == 200, manifest.text
    assert manifest.content == image.manifest
    for blob in image.blobs:
        answer = client.blob(name, blob.digest)
        assert answer.status_code == 200, answer.text
        assert answer.content == blob.data
