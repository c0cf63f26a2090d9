"""A byte that has turned on the disk, or in the database: found by a server that reads everything again, and healed."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.client import RegistryClient
from tests.support.images import Blob, TinyImage, random_bytes, tiny_image
from tests.support.server import PROJECT, RunningServer
from tests.system.command import Command, bare_environment
from tests.system.docker_images import build, layer, pull_anew
from tests.system.dockerd import Dockerd
from tests.system.objects import object_of_size, objects_of
from tests.system.waiting import eventually

NAME = "faults/scrubbed"
SIZE = 123_457
MIB = 1 << 20
SETTINGS: dict[str, str | bool] = {
    "open": True,
    "scrub_every": "1s",
    "sweep_interval": "200ms",
    "delete_delay": "0s",
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """One that reads everything again all the time."""
    with RunningServer(tmp_path / "data", SETTINGS, workers=2) as server:
        yield server


@contextmanager
def client(server: RunningServer) -> Iterator[RegistryClient]:
    with server.http() as http:
        yield RegistryClient(http)


def turn_a_byte(file: Path) -> None:
    with file.open("r+b") as bytes_:
        bytes_.seek(SIZE // 2)
        byte = bytes_.read(1)
        bytes_.seek(SIZE // 2)
        bytes_.write(bytes([byte[0] ^ 1]))


def turn_a_manifest(server: RunningServer, image: TinyImage) -> None:
    with closing(sqlite3.connect(server.data / "registry.db")) as database, database:
        (changed,) = (
            database.execute(
                "UPDATE content SET bytes = ? WHERE bytes = ?", (image.manifest[:-1] + b" ", image.manifest)
            ).rowcount,
        )
    assert changed == 1


def gone(answers: list[httpx.Response]) -> bool:
    return all(answer.status_code == httpx.codes.NOT_FOUND for answer in answers)


def test_a_turned_byte_is_found_and_heals_with_the_next_push(server: RunningServer) -> None:
    blob = Blob(random_bytes("scrubbed", SIZE))
    with client(server) as registry:
        registry.push_blob(NAME, blob)
        turn_a_byte(object_of_size(server, SIZE))
        asked = ("GET", "HEAD")
        eventually(
            "it is served no more", lambda: gone([registry.blob(NAME, blob.digest, method=each) for each in asked])
        )
        assert len(objects_of(server)) == 1, "it is kept aside"
        registry.push_blob(NAME, blob)
        assert registry.blob(NAME, blob.digest).content == blob.data
        object_of_size(server, SIZE)
        assert '"what": "object-bytes"' in server.output()


def test_a_manifest_that_was_turned_is_found_and_heals_with_the_next_push(server: RunningServer) -> None:
    image = tiny_image(NAME)
    with client(server) as registry:
        registry.push_image(NAME, image, "1")
        turn_a_manifest(server, image)
        asked = [(reference, method) for reference in ("1", image.digest) for method in ("GET", "HEAD")]
        eventually(
            "it is served no more",
            lambda: gone([registry.manifest(NAME, reference, method) for reference, method in asked]),
        )
        assert registry.push_manifest(NAME, "1", image.manifest, image.media_type).status_code == httpx.codes.CREATED
        assert registry.manifest(NAME, "1").content == image.manifest


def test_the_next_docker_push_brings_a_layer_that_has_turned(
    dockerd: Dockerd, server: RunningServer, tmp_path: Path
) -> None:
    docker: Command = dockerd.client(tmp_path / "docker")
    name = f"{server.host}/{NAME}:1"
    made = build(docker, name, layer("healthy", 50_000), layer("turned", 400_000))
    docker("push", name)
    objects = objects_of(server)
    turned = max(objects, key=lambda file: objects[file])
    turn_a_byte(turned)
    digest = digest_of(server, turned)
    with client(server) as registry:
        eventually("it is served no more", lambda: gone([registry.blob(NAME, digest)]))
    said = docker("push", name).text
    assert (said.count(": Pushed"), said.count(": Layer already exists")) == (1, 1), said
    assert pull_anew(docker, name) == made


def digest_of(server: RunningServer, file: Path) -> str:
    """As the database has it of an object."""
    key = str(file.relative_to(server.data))
    with closing(sqlite3.connect(server.data / "registry.db")) as database:
        ((packed,),) = database.execute(
            "SELECT digest FROM blob JOIN object ON object.id = object_id WHERE key = ?", (key,)
        )
    return f"sha256:{packed[1:].hex()}"


def test_what_was_being_read_when_it_was_killed_is_not_read_from_the_beginning(tmp_path: Path) -> None:
    blob = Blob(random_bytes("large", 12 * MIB))
    with RunningServer(tmp_path / "data", {"open": True}) as server, client(server) as registry:
        registry.push_blob(NAME, blob)
        with scrubbing(server, "--rate", "4MiB") as slow:
            try:
                eventually("a part was read", lambda: read_so_far(server) >= 2 * MIB)
            finally:
                slow.kill()
        had = read_so_far(server)
        assert had < len(blob.data)
        with scrubbing(server, "--json") as again:
            report = json.loads(again.communicate(timeout=60)[0])
        assert (again.returncode, report["looked_at"]["objects"], report["left"]) == (0, 1, 0)
        assert report["looked_at"]["bytes"] <= len(blob.data) - had + MIB // 2, "contents are read with it"


def test_an_operator_s_interrupt_ends_it_at_once_and_in_good_order(tmp_path: Path) -> None:
    with RunningServer(tmp_path / "data", {"open": True}) as server, client(server) as registry:
        registry.push_blob(NAME, Blob(random_bytes("large", 4 * MIB)))
        with scrubbing(server, "--rate", "16KiB", "--json") as slow:
            try:
                eventually("it has begun", lambda: read_so_far(server) >= MIB)
                slow.send_signal(signal.SIGINT)
                # The rest after the first MiB alone would take a minute.
                report = json.loads(slow.communicate(timeout=30)[0])
            finally:
                slow.kill()
        assert (slow.returncode, report["is_whole"]) == (0, False)


def scrubbing(server: RunningServer, *options: str) -> subprocess.Popen[bytes]:
    """`entrepot scrub run --all`, which writes down after each piece how far it is, and not every few seconds."""
    hasty = "from registry.core import scrub_ledger; scrub_ledger._EVERY = 0.0; from registry.cli import main; main()"
    arguments = ["scrub", "run", "--all", "--data", str(server.data), *options]
    return subprocess.Popen(
        [sys.executable, "-c", hasty, *arguments], cwd=PROJECT, env=bare_environment({}), stdout=subprocess.PIPE
    )


def read_so_far(server: RunningServer) -> int:
    """Of the large object."""
    with closing(sqlite3.connect(server.data / "registry.db")) as database:
        found = database.execute("SELECT value FROM setting WHERE name = 'scrub_run_progress'").fetchall()
    return int(json.loads(found[0][0])["offset"]) if found else 0
