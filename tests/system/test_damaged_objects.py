"""An object lost or cut short on disk: found by whoever asks, honestly missing until pushed again, then healed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.images import random_bytes
from tests.support.server import RunningServer
from tests.system.command import Command
from tests.system.conversation import Address, Answer, address_of, ask, get_blob, head_blob, push_blob
from tests.system.docker_images import build, layer, pull_anew
from tests.system.dockerd import Dockerd
from tests.system.objects import object_of_size, objects_of

NAME = "faults/damaged"
SIZE = 123_457
DATA = random_bytes("damaged", SIZE)

Damage = Callable[[Path], None]
AskFor = Callable[[Address, str, str], Answer]


def _lose(file: Path) -> None:
    file.unlink()


def _cut_short(file: Path) -> None:
    with file.open("r+b") as bytes_:
        bytes_.truncate(SIZE - 1)


def _empty(file: Path) -> None:
    """What a file system leaves that lost its journal: the name without the bytes."""
    file.write_bytes(b"")


damages = pytest.mark.parametrize("damage", [_lose, _cut_short, _empty], ids=["lost", "cut short", "emptied"])


@damages
@pytest.mark.parametrize("ask_for", [get_blob, head_blob], ids=["GET", "HEAD"])
def test_damage_is_found_by_whoever_asks_first(server: RunningServer, damage: Damage, ask_for: AskFor) -> None:
    digest = push_blob(address_of(server), NAME, DATA)
    ask_for(address_of(server), NAME, digest).expect(200)
    damage(object_of_size(server, SIZE))
    ask_for(address_of(server), NAME, digest).expect(404)
    # Everybody is told the same from now on, so that a client which asks by HEAD pushes what the GET will need.
    for _ in range(4):
        head_blob(address_of(server), NAME, digest).expect(404)
        assert get_blob(address_of(server), NAME, digest).expect(404).error_codes == ["BLOB_UNKNOWN"]


@damages
def test_pushing_again_heals_the_damage(server: RunningServer, damage: Damage) -> None:
    digest = push_blob(address_of(server), NAME, DATA)
    damage(object_of_size(server, SIZE))
    head_blob(address_of(server), NAME, digest).expect(404)
    push_blob(address_of(server), NAME, DATA)
    assert get_blob(address_of(server), NAME, digest).expect(200).body == DATA


@damages
def test_pushing_again_heals_damage_that_nobody_has_met_yet(server: RunningServer, damage: Damage) -> None:
    digest = push_blob(address_of(server), NAME, DATA)
    damage(object_of_size(server, SIZE))
    push_blob(address_of(server), NAME, DATA)
    assert get_blob(address_of(server), NAME, digest).expect(200).body == DATA


def test_a_mount_of_a_damaged_blob_is_not_a_201(server: RunningServer) -> None:
    digest = push_blob(address_of(server), f"{NAME}/source", DATA)
    _lose(object_of_size(server, SIZE))
    head_blob(address_of(server), f"{NAME}/source", digest).expect(404)
    target = f"/v2/{NAME}/target/blobs/uploads/?mount={digest}&from={NAME}/source"
    ask(address_of(server), "POST", target).expect(202)


def test_a_damaged_blob_is_one_repair_for_all_its_repositories(server: RunningServer) -> None:
    names = [f"{NAME}/left", f"{NAME}/right"]
    (digest,) = {push_blob(address_of(server), name, DATA) for name in names}
    _lose(object_of_size(server, SIZE))
    head_blob(address_of(server), names[0], digest).expect(404)
    push_blob(address_of(server), names[0], DATA)
    assert get_blob(address_of(server), names[1], digest).expect(200).body == DATA


def test_damage_is_found_after_a_restart(server: RunningServer) -> None:
    digest = push_blob(address_of(server), NAME, DATA)
    server.stop()
    _lose(object_of_size(server, SIZE))
    server.start()
    head_blob(address_of(server), NAME, digest).expect(404)


def test_the_next_docker_push_heals_a_damaged_layer(dockerd: Dockerd, server: RunningServer, tmp_path: Path) -> None:
    docker: Command = dockerd.client(tmp_path / "docker")
    name = f"{server.host}/{NAME}:1"
    made = build(docker, name, layer("healthy", 50_000), layer("damaged", 400_000))
    docker("push", name)
    objects = objects_of(server)
    _lose(max(objects, key=lambda file: objects[file]))
    said = docker("push", name).text
    assert (said.count(": Pushed"), said.count(": Layer already exists")) == (1, 1), said
    assert pull_anew(docker, name) == made
