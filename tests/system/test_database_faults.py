"""A PostgreSQL that fails, seen by clients: nothing while patience lasts, then a 503 that says when to come again.

The server is a real one of these tests' own, stopped, crashed and started at will, with its backends ended at any time.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.client import RegistryClient
from tests.support.images import Blob, TinyImage, tiny_image
from tests.support.postgres import PostgresServer, ask, cut, postgres_server
from tests.support.postgres_proxy import CommitCutter
from tests.support.server import RunningServer, Setting
from tests.system.objects import objects_of
from tests.system.test_store_faults import assert_comes_again
from tests.system.waiting import eventually

OURS = "application_name = 'entrepot'"
CLIENTS = 6
# Four times what all of a worker's threads and connections take: who queues behind them waits no longer than they do.
MANY = 64


@dataclass(frozen=True)
class Scene:
    postgres: PostgresServer
    url: str
    server: RunningServer

    @contextmanager
    def client(self) -> Iterator[RegistryClient]:
        with self.server.http(timeout=60, limits=httpx.Limits(max_connections=None)) as http:
            yield RegistryClient(http)

    def count(self, what: str, *values: object) -> int:
        return int(ask(self.url, f"SELECT count(*) FROM {what}", *values)[0][0])  # noqa: S608  these tests' words


@contextmanager
def served(folder: Path) -> Iterator[Scene]:
    postgres = postgres_server(apart=True)
    settings: dict[str, Setting] = {"open": True, "sweep_interval": "200ms", "delete_delay": "0s"}
    with (
        postgres.database() as url,
        RunningServer(folder / "data", {**settings, "database": url}, workers=2) as server,
    ):
        yield Scene(postgres, url, server)
        server.stop()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with served(tmp_path_factory.mktemp("database")) as scene:
        yield scene


@pytest.fixture
def client(scene: Scene) -> Iterator[RegistryClient]:
    with scene.client() as client:
        yield client


class Load:
    """Clients that push and pull without a pause, and try nothing twice; what they could not do fails the test."""

    def __init__(self, scene: Scene, repository: str) -> None:
        self._scene = scene
        self._repository = repository
        self._enough = threading.Event()
        self._progress = threading.Semaphore(0)
        self.pushed: dict[str, TinyImage] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        with ThreadPoolExecutor(CLIENTS) as threads:
            work = [threads.submit(self._push_and_pull, number) for number in range(CLIENTS)]
            try:
                self.wait_for_progress()
                yield
                self.wait_for_progress()
            finally:
                self._enough.set()
            for each in work:
                each.result()

    def wait_for_progress(self) -> None:
        """Until some of them have begun and ended another turn."""
        for _ in range(2 * CLIENTS):
            assert self._progress.acquire(timeout=60)

    def assert_all_is_there(self) -> None:
        with self._scene.client() as client:
            for tag, image in self.pushed.items():
                assert client.manifest(self._repository, tag).content == image.manifest
                for blob in image.blobs:
                    assert client.blob(self._repository, blob.digest).content == blob.data
        # Each of them once, however often its transaction was run.
        assert self._scene.count("event WHERE action = 'tag.set' AND repository = %s", self._repository) == len(
            self.pushed
        )

    def _push_and_pull(self, number: int) -> None:
        with self._scene.client() as client:
            for turn in itertools.count():
                if self._enough.is_set():
                    return
                tag, image = f"{number}-{turn}", tiny_image(f"{self._repository} {number} {turn}")
                client.push_image(self._repository, image, tag)
                self.pushed[tag] = image
                for method in ("GET", "HEAD"):
                    answer = client.manifest(self._repository, tag, method)
                    assert answer.status_code == 200, answer.text
                self._progress.release()


# What is over before patience ends


def test_nobody_notices_connections_that_end_at_any_time(scene: Scene, repository: str) -> None:
    load = Load(scene, repository)
    with load.running():
        for _ in range(10):
            assert cut(scene.url, OURS)
            load.wait_for_progress()
    load.assert_all_is_there()


def test_nobody_notices_a_restart_and_a_crash(scene: Scene, repository: str) -> None:
    load = Load(scene, repository)
    with load.running():
        for end in (scene.postgres.stop, scene.postgres.crash):
            end()
            scene.postgres.start()
            load.wait_for_progress()
    load.assert_all_is_there()


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
def test_nobody_notices_conflicts_of_transactions(
    scene: Scene, client: RegistryClient, repository: str, sqlstate: str
) -> None:
    image = tiny_image(repository)
    client.push_image(repository, image)
    with a_refusal_of(scene.url, sqlstate, times=4):
        assert client.tag(repository, "latest", image)
    assert client.manifest(repository, "latest").content == image.manifest
    assert scene.count("event WHERE action = 'tag.set' AND repository = %s", repository) == 1


@contextmanager
def a_refusal_of(url: str, sqlstate: str, times: int) -> Iterator[None]:
    """The next transactions that write an event fail with it; a sequence counts them, which no rollback takes back."""
    ask(url, "CREATE SEQUENCE refusals")
    ask(
        url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF nextval('refusals') <= {times} THEN RAISE 'not now' USING ERRCODE = '{sqlstate}'; END IF;"
        " RETURN NEW; END $$",
    )
    ask(url, "CREATE TRIGGER refusing BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION refuse()")
    try:
        yield
        assert ask(url, "SELECT last_value FROM refusals")[0][0] > times
    finally:
        ask(url, "DROP FUNCTION refuse CASCADE")
        ask(url, "DROP SEQUENCE refusals")


def test_who_finds_all_connections_in_use_waits_for_one(scene: Scene, client: RegistryClient, repository: str) -> None:
    image = tiny_image(repository)
    client.push_image(repository, image)
    with psycopg.connect(scene.url) as holder, ThreadPoolExecutor(MANY) as threads:
        holder.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
        pushes = [threads.submit(client.tag, repository, f"v{number}", image) for number in range(MANY)]
        waiting = f"pg_stat_activity WHERE {OURS} AND wait_event_type = 'Lock'"
        eventually("every connection of a worker waits", lambda: scene.count(waiting) >= 8)
        assert client.manifest(repository, image.digest).status_code == 200
        holder.rollback()
        for push in pushes:
            assert push.result().status_code == 201
    assert len(client.tags(repository).json()["tags"]) == MANY


def test_who_finds_the_server_full_waits_for_a_place(scene: Scene, client: RegistryClient, repository: str) -> None:
    image = tiny_image(repository)
    client.push_image(repository, image)
    others: list[psycopg.Connection[object]] = []
    try:
        with ThreadPoolExecutor(2) as threads:
            fill(scene.url, others)
            read = threads.submit(client.manifest, repository, image.digest)
            written = threads.submit(client.tag, repository, "latest", image)
            assert not read.done()
            assert not written.done()
            while others:
                others.pop().close()
            assert read.result().status_code == 200
            assert written.result().status_code == 201
    finally:
        for other in others:
            other.close()


def fill(url: str, others: list[psycopg.Connection[object]]) -> None:
    """Take every place there is, ours too."""
    with suppress(psycopg.OperationalError):
        while True:
            others.append(psycopg.connect(url))
    with psycopg.connect(url) if not others else others.pop() as last:
        last.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'entrepot'")
    with suppress(psycopg.OperationalError):
        while True:
            others.append(psycopg.connect(url))


# A commit whose answer is lost


@pytest.mark.parametrize("reaches_the_server", [True, False])
def test_a_manifest_whose_commit_is_cut_off_is_pushed_exactly_once(
    tmp_path: Path, repository: str, *, reaches_the_server: bool
) -> None:
    with postgres_server(apart=True).database() as url, CommitCutter(url) as cutter:
        settings: dict[str, Setting] = {"open": True, "database": cutter.url, "background": False}
        with RunningServer(tmp_path / "data", settings) as server, server.http() as http:
            client, image = RegistryClient(http), tiny_image(repository)
            client.push_image(repository, image)
            cutter.cut_next_commit(reaches_the_server=reaches_the_server)
            assert client.tag(repository, "latest", image).status_code == 201
            assert cutter.was_cut.is_set()
            assert client.manifest(repository, "latest").content == image.manifest
            assert ask(url, "SELECT count(*) FROM event WHERE action = 'tag.set'") == [(1,)]


# What is not over when patience ends


@dataclass
class Begun:
    """What was acknowledged before the database went away, and every kind of request for it."""

    client: RegistryClient
    repository: str

    def __post_init__(self) -> None:
        self.image = tiny_image(self.repository)
        self.layer = Blob(self.repository.encode() * 1000)
        self.client.push_image(self.repository, self.image, "before")
        self.location = self.client.start_upload(self.repository).headers["location"]
        self.client.patch(self.location, self.layer.data[:5000], at=0).raise_for_status()

    def every_kind_of_request(self) -> list[Callable[[], httpx.Response]]:
        client, name, image, layer = self.client, self.repository, self.image, self.layer
        config = image.blobs[0].digest
        return [
            lambda: client.manifest(name, "before"),
            lambda: client.manifest(name, image.digest, "HEAD"),
            lambda: client.blob(name, config),
            lambda: client.blob(name, config, "HEAD"),
            lambda: client.tags(name),
            client.catalog,
            lambda: client.referrers(name, image.digest),
            lambda: client.push_manifest(name, "after", image.manifest, image.media_type),
            lambda: client.delete_manifest(name, "before"),
            lambda: client.delete_blob(name, config),
            lambda: client.start_upload(name),
            lambda: client.mount(f"{name}/other", config, name),
            lambda: client.push_at_once(name, layer.digest, layer.data),
            lambda: client.patch(self.location, layer.data[5000:], at=5000),
            lambda: client.upload_status(self.location),
            lambda: client.close_upload(self.location, layer.digest, layer.data[5000:]),
            lambda: client.cancel_upload(self.location),
            lambda: client.request("GET", "/token", auth=("admin", "correct horse")),
            lambda: client.request("GET", "/healthz"),
        ]

    def go_on(self) -> None:
        """Where the registry says."""
        client, name, layer = self.client, self.repository, self.layer
        eventually("what writes is well too", lambda: client.upload_status(self.location).status_code == 204)
        assert client.manifest(name, "before").content == self.image.manifest
        assert client.manifest(name, "after").status_code == 404
        assert client.upload_status(self.location).headers["range"] == "0-4999"
        assert client.patch(self.location, layer.data[5000:], at=5000).status_code == 202
        assert client.close_upload(self.location, layer.digest).status_code == 201
        assert client.blob(name, layer.digest).content == layer.data


def test_while_the_database_is_away_every_request_is_told_to_come_again_in_time(
    scene: Scene, client: RegistryClient, repository: str
) -> None:
    begun = Begun(client, repository)
    given_up = client.start_upload(repository).headers["location"]
    client.patch(given_up, b"never to be a blob").raise_for_status()
    has = set(objects_of(scene.server))
    scene.postgres.stop()
    try:
        requests = begun.every_kind_of_request()
        many = [lambda: client.start_upload(repository)] * MANY
        with ThreadPoolExecutor(len(requests) + MANY) as threads:
            for answer in [threads.submit(request) for request in (*requests, *many)]:
                assert_comes_again(answer.result())
    finally:
        scene.postgres.start()
    eventually("it is well again", lambda: client.request("GET", "/healthz").status_code == 200)
    begun.go_on()
    client.cancel_upload(given_up).raise_for_status()
    eventually("the sweeper goes on too", lambda: not has.issubset(objects_of(scene.server)))
