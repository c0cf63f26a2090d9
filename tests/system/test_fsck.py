"""`entrepot fsck` as an operator runs it: beside a busy server, after a loss, killed in the middle and begun again."""

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import RegistryClient
from tests.support.images import Blob, random_bytes, tiny_image
from tests.support.layout import contents
from tests.support.postgres import ask, postgres_server
from tests.support.replicas import shared_settings
from tests.support.s3 import S3Server, s3_server
from tests.support.server import PROJECT, RunningServer, Setting, settings_as_environment
from tests.system.command import Command, bare_environment
from tests.system.reading import Registry
from tests.system.terminal import typed
from tests.system.waiting import eventually

__all__ = ["s3_server"]

# Nobody waits before deleting, so that much is deleted; and what fsck calls old enough is whatever is there.
HURRIED: dict[str, Setting] = {"open": True, "delete_delay": "0s", "sweep_interval": "100ms"}
EVERYTHING = ("--read", "--repair", "--adopt", "--delete", "--grace", "0s", "--json")
RUNS, PUSHERS = 3, 4

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Site:
    """A registry, its database past all of our code, and fsck."""

    server: RunningServer
    execute: Callable[[str], list[tuple[Any, ...]]]
    fsck: Command

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """The exit status, and the report."""
        outcome = self.fsck.run(*arguments)
        assert outcome.output, str(outcome)
        return outcome.code, json.loads(outcome.output)

    @contextmanager
    def client(self) -> Iterator[RegistryClient]:
        with self.server.http(follow_redirects=True) as http:
            yield RegistryClient(http)


@contextmanager
def site(combination: str, folder: Path, s3: Callable[[], S3Server]) -> Iterator[Site]:
    database, store = combination.split("-")
    settings, data = dict(HURRIED), folder / "data"
    with ExitStack() as stack:
        execute = partial(_sqlite, data / "registry.db")
        if store == "s3":
            settings |= shared_settings(s3(), "", folder / "key")
            del settings["database"]
        if database == "postgresql":
            url = stack.enter_context(postgres_server().database())
            settings["database"] = url
            execute = partial(ask, url)
        server = stack.enter_context(RunningServer(data, settings, workers=2))
        environment = {"PYTHONPATH": str(PROJECT), **settings_as_environment(server.settings)}
        yield Site(
            server, execute, Command((sys.executable, "-m", "registry", "fsck", "--data", str(data)), environment)
        )


def _sqlite(path: Path, text: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
        return connection.execute(text).fetchall()


@pytest.fixture(params=["sqlite-filesystem", "postgresql-s3"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """What one machine has, and what many have; every pair is in tests/unit/core/test_fsck_run.py."""
    with site(request.param, tmp_path, lambda: request.getfixturevalue("s3_server")) as either:
        yield either


def lose_every_blob(here: Site) -> int:
    """As if an old copy of the database had been put back; how many objects nobody knows of now."""
    ((objects,),) = here.execute("SELECT count(*) FROM object")
    for statement in ("DELETE FROM link", "DELETE FROM blob", "DELETE FROM object"):
        here.execute(statement)
    return int(objects)


def push_and_delete(here: Site, seed: int, done: threading.Event) -> int:
    """Everything that makes and ends objects, round after round; how many rounds."""
    name, rounds = f"team/app{seed}", 0
    with here.client() as client:
        while not done.is_set():
            rounds += 1
            image = tiny_image(f"{seed}/{rounds}", layers=2, layer_size=(100, 6000, 60_000)[rounds % 3])
            client.push_image(name, image, "1")
            # The same once more: the object that was there is replaced, and swept.
            client.push_blob(name, image.layers[0])
            session = client.start_upload(name).headers["location"]
            session = client.patch(session, random_bytes(f"{seed}", 50_000)).headers["location"]
            assert client.cancel_upload(session).status_code == 204
            kept = client.start_upload(name).headers["location"]
            assert client.patch(kept, b"open").status_code == 202
            if rounds % 2:
                assert client.delete_manifest(name, image.digest).status_code == 202
    return rounds


def test_beside_a_busy_server_it_finds_nothing(either: Site) -> None:
    done = threading.Event()
    with ThreadPoolExecutor(PUSHERS) as pool:
        pushers: list[Future[int]] = [pool.submit(push_and_delete, either, seed, done) for seed in range(PUSHERS)]
        try:
            outcomes = [either.run(*EVERYTHING) for _ in range(RUNS)]
        finally:
            done.set()
    assert all(pusher.result() > 1 for pusher in pushers)
    assert [(code, report["found"]) for code, report in outcomes] == [(0, [])] * RUNS
    assert outcomes[-1][1]["looked_at"]["objects"] > 0
    code, report = either.run(*EVERYTHING)
    assert (code, report["found"]) == (0, [])


def test_images_that_lost_their_blobs_pull_again_once_these_are_adopted(either: Site) -> None:
    images = {str(number): tiny_image(f"lost/{number}", layers=2, layer_size=60_000) for number in range(3)}
    with either.client() as client:
        for tag, image in images.items():
            client.push_image("team/app", image, tag)
    registry = Registry(either.server.host)
    # Small blobs have no object, so nobody can bring them back.
    configs = [image.config for image in images.values()]
    lose_every_blob(either)
    code, report = either.run("--grace", "0s", "--json")
    counts = {each["what"]: each["count"] for each in report["counts"]}
    assert (code, counts["unknown-object"]) == (1, 6)
    assert either.run("--adopt", "--repair", "--grace", "0s", "--json")[0] == 1
    with either.client() as client:
        for config in configs:
            client.push_blob("team/app", config)
    for tag, image in images.items():
        assert registry.contents("team/app", tag) == contents(image)
    assert either.run(*EVERYTHING)[0] == 0


def test_killed_while_it_adopts_it_goes_on_where_it_was(either: Site) -> None:
    blobs = [Blob(random_bytes(f"killed/{number}", 100_000 + number)) for number in range(60)]
    with either.client() as client:
        for blob in blobs:
            client.push_blob("team/app", blob)
    assert lose_every_blob(either) == len(blobs)
    for wanted in (1, 25):
        adopting = subprocess.Popen(
            [*either.fsck.prefix, "--adopt", "--grace", "0s"],
            env=bare_environment(either.fsck.environment),
            stdout=subprocess.DEVNULL,
        )
        try:
            eventually("some are adopted", partial(_adopted, either, wanted))
        finally:
            adopting.kill()
            adopting.wait()
    assert _adopted(either, 25)
    code, report = either.run("--adopt", "--repair", "--grace", "0s", "--json")
    assert report["left"] == code == 0
    ((live,),) = either.execute("SELECT count(*) FROM object JOIN blob ON object_id = object.id WHERE state = 'live'")
    assert live == len(blobs)
    with either.client() as client:
        for blob in blobs:
            assert client.mount("team/app", blob.digest).status_code in {201, 202}
            client.push_blob("team/app", blob)
            assert client.blob("team/app", blob.digest).content == blob.data
    assert either.run(*EVERYTHING)[0] == 0


def _adopted(here: Site, wanted: int) -> bool:
    ((adopted,),) = here.execute("SELECT count(*) FROM object")
    return bool(adopted >= wanted)


def test_a_terminal_sees_how_far_it_is(tmp_path: Path) -> None:
    with site("sqlite-filesystem", tmp_path, lambda: pytest.fail("no store is needed")) as here:
        environment = bare_environment(here.fsck.environment)
        code, said = typed(" ".join(here.fsck.prefix), environment | {"TERM": "xterm"}, {})
    assert code == 0
    assert "what the store holds" in said
    assert "nothing is wrong" in said
