"""A server that counts pulls, and carries out rules of retention by itself."""

import http.client
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.client import RegistryClient
from tests.support.images import TinyIndex, index
from tests.support.server import RunningServer
from tests.system.waiting import eventually

APP = "team/app"
TIMES = 20


def push(server: RunningServer, *tags: str) -> list[TinyIndex]:
    """A manifest of its own for each, the last one the youngest."""
    made = [index(annotations={"tag": tag}) for tag in tags]
    with server.http() as client:
        for tag, each in zip(tags, made, strict=True):
            answer = RegistryClient(client).push_manifest(APP, tag, each.manifest, each.media_type)
            assert answer.status_code == 201
    return made


def ask(server: RunningServer, method: str, reference: str) -> None:
    """The very same bytes each time, on one connection: from the third time on, they are not even parsed."""
    with closing(http.client.HTTPConnection(server.host)) as connection:
        for _ in range(TIMES):
            connection.request(method, f"/v2/{APP}/manifests/{reference}")
            answer = connection.getresponse()
            assert answer.status == 200
            answer.read()


@pytest.mark.parametrize("workers", [1, 2])
def test_each_pull_is_counted_however_it_is_answered_and_looking_is_not(tmp_path: Path, workers: int) -> None:
    with RunningServer(tmp_path / "data", {"open": True}, workers=workers) as server:
        (pulled, looked_at) = push(server, "pulled", "looked-at")
        ask(server, "GET", "pulled")
        ask(server, "GET", pulled.digest)
        ask(server, "HEAD", "looked-at")
        # What is in memory is written down when a worker leaves.
        assert server.stop() == 0
    with closing(sqlite3.connect(tmp_path / "data" / "registry.db")) as database:
        query = (
            "SELECT pulls, pulled_at IS NOT NULL FROM manifest JOIN content ON content.id = content_id WHERE bytes = ?"
        )
        counted = [database.execute(query, (each.manifest,)).fetchone() for each in (pulled, looked_at)]
    assert counted == [(2 * TIMES, 1), (0, 0)]


def test_a_server_carries_out_the_rules_by_itself(tmp_path: Path) -> None:
    settings = {"retention_interval": "1s", "sweep_interval": "200ms"}
    with RunningServer(tmp_path / "data", {"open": True, **settings}, workers=2) as server, server.http() as client:
        push(server, "one", "two", "three")
        client.put(
            "/api/v1/retention-rules", params={"repositories": "team/**"}, json={"keeps": {"last": 1}}
        ).raise_for_status()

        def tags() -> list[str]:
            answer: list[str] = client.get(f"/v2/{APP}/tags/list").json()["tags"]
            return answer

        eventually("tags go", lambda: tags() == ["three"])
        push(server, "four")
        eventually("and again", lambda: tags() == ["four"])
        assert server.stop() == 0
