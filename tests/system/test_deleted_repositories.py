"""A repository that an operator deletes beside a server that runs: skopeo finds it gone, and finds it again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.images import Pushable, tiny_image
from tests.support.layout import contents, read_layout, write_layout
from tests.support.server import PROJECT, RunningServer, settings_as_environment
from tests.support.skopeo import skopeo_in
from tests.system.command import Command, bare_environment
from tests.system.terminal import typed

WORKERS = 2
# Each a connection of its own, so that both workers have their turns.
TURNS = 4


@dataclass(frozen=True)
class Place:
    """A server of two workers, the command at its machine, and skopeo anywhere."""

    server: RunningServer
    folder: Path
    entrepot: Command
    skopeo: Command

    def does(self, line: str) -> Any:
        return json.loads(self.entrepot(*line.split(), "--json").output)

    def typed(self, line: str, answer: str) -> tuple[int, str]:
        """At a terminal, where it asks."""
        whole = " ".join((*self.entrepot.prefix, line))
        return typed(whole, bare_environment(self.entrepot.environment), {"for good? [y/N]:": answer})

    def push(self, name: str, image: Pushable) -> None:
        layout = write_layout(self.folder / f"pushed-{image.digest[-12:]}", {"1": image})
        self.skopeo("copy", "--dest-tls-verify=false", *self._who("--dest-creds"), f"oci:{layout}:1", self._at(name))

    def pulled(self, name: str) -> dict[str, bytes]:
        layout = self.folder / f"pulled-{name.replace('/', '-')}"
        self.skopeo("copy", "--src-tls-verify=false", *self._who("--src-creds"), self._at(name), f"oci:{layout}:1")
        return read_layout(layout)

    def complaints(self, name: str) -> set[str]:
        """What skopeo is told by whichever worker, that it is not there."""
        inspect = ("inspect", "--tls-verify=false", *self._who("--creds"), self._at(name))
        said = [self.skopeo.refused(*inspect).text for _ in range(TURNS)]
        return {"manifest unknown" if "manifest unknown" in each else each for each in said}

    def _at(self, name: str) -> str:
        return f"docker://{self.server.host}/{name}:1"

    def _who(self, option: str) -> tuple[str, str]:
        return option, ":".join(self.server.admin)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("deleted")
    data = folder / "data"
    # It collects nothing by itself, so that what the command does is seen.
    with RunningServer(data, {"background": False}, workers=WORKERS) as server:
        environment = settings_as_environment({"data": data, "port": server.port})
        entrepot = Command((sys.executable, "-m", "registry"), environment | {"PYTHONPATH": str(PROJECT)})
        yield Place(server, folder, entrepot, skopeo_in(folder / "skopeo"))
        server.stop()


def test_what_was_deleted_is_gone_for_skopeo_and_comes_back_to_the_byte(place: Place) -> None:
    former, latter = tiny_image("former", layers=2, layer_size=50_000), tiny_image("latter")
    place.push("team/app", former)
    assert place.pulled("team/app") == contents(former)
    place.does("repo delete team/app")
    assert place.complaints("team/app") == {"manifest unknown"}
    place.push("team/app", latter)
    assert place.does("repo restore team/app --as team/former")["name"] == "team/former"
    assert place.pulled("team/former") == contents(former)
    assert place.does("repo show team/app")["own"] == sum(map(len, contents(latter).values()))


def test_what_was_purged_is_gone_for_good(place: Place) -> None:
    place.push("team/purged", tiny_image())
    place.does("repo delete team/purged")
    status, said = place.typed("repo purge team/purged", "n")
    assert (status, "Aborted!" in said) == (1, True)
    assert len(place.does("repo list --deleted")) == 1
    assert place.typed("repo purge team/purged", "y")[0] == 0
    assert place.does("gc run")["manifests"] == 1
    assert place.complaints("team/purged") == {"manifest unknown"}
    refused = place.entrepot.refused("repo", "restore", "team/purged")
    assert refused.complaints == "error: no such deleted repository: team/purged\n"
    place.does("fsck")
