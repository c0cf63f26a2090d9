"""kill -9 in the collector and in the sweeper, at moments that nobody chose: whoever goes on brings it to its end."""

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.client import RegistryClient
from tests.support.garbage import is_garbage_left, lay_garbage
from tests.support.images import TinyImage, tiny_image
from tests.support.server import PROJECT, RunningServer, Setting, settings_as_environment
from tests.system.command import Command, bare_environment
from tests.system.reading import Registry
from tests.system.waiting import eventually

BLOBS: Final = 1500
KILLS: Final = 3
NAME = "kept/app"
HURRIED: dict[str, Setting] = {"delete_delay": "0s", "sweep_interval": "100ms", "backup_keep": "0"}
# As many as there are rows and files to go: a review and an object each.
_LEFT = "SELECT (SELECT count(*) FROM review) + (SELECT count(*) FROM object)"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def image(data: Path) -> TinyImage:
    """One that is kept, in a registry with much that is not."""
    image = tiny_image(NAME, layers=2, layer_size=9000)
    # Whose collector comes by too late to do anything.
    with RunningServer(data, {"open": True, "sweep_interval": "1h"}) as server:
        with server.http() as http:
            RegistryClient(http).push_image(NAME, image, "1")
        server.stop()
    lay_garbage(data, BLOBS)
    return image


def test_a_collector_that_is_killed_again_and_again_leaves_nothing_undone(data: Path, image: TinyImage) -> None:
    kept = len(image.layers)
    # From the first review to the last file, in equal parts, and somewhere in each of them.
    for number in range(KILLS):
        part = 2 * BLOBS // KILLS
        with _working(data) as worker:
            _wait_until_left(data, 2 * BLOBS - number * part - random.randrange(part))  # noqa: S311  no secret
            worker.kill()
    with _working(data):
        eventually("everything is collected", lambda: not is_garbage_left(data), within=120)
    assert len(list(data.glob("blobs/*/*"))) == kept
    assert _ask(data, "SELECT used FROM project WHERE name = 'garbage'") == 0
    entrepot = Command((sys.executable, "-m", "registry"))
    assert "nothing is wrong" in entrepot("fsck", "--read", "--grace", "0s", "--data", str(data)).output
    with RunningServer(data, {"open": True}) as server:
        contents = Registry(server.host).contents(NAME, "1")
        server.stop()
    assert [contents[layer.digest] for layer in image.layers] == [layer.data for layer in image.layers]


@contextmanager
def _working(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does background work; it takes over at once from one that was killed, as after some minutes."""
    with closing(sqlite3.connect(data / "registry.db", timeout=60)) as database, database:
        database.execute("UPDATE lease SET until = 0")
    environ = bare_environment(settings_as_environment({**HURRIED, "data": str(data)}))
    worker = subprocess.Popen([sys.executable, "-m", "registry", "worker"], cwd=PROJECT, env=environ)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


def _wait_until_left(data: Path, wanted: int) -> None:
    ends = time.monotonic() + 120
    while _ask(data, _LEFT) > wanted:
        assert time.monotonic() < ends
        time.sleep(0.001)


def _ask(data: Path, query: str) -> int:
    with closing(sqlite3.connect(data / "registry.db", timeout=60)) as database:
        [(number,)] = database.execute(query).fetchall()
        return int(number)
