"""The verbs for people beside a server that runs: each worker knows with its next request what the operator did."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.client import RegistryClient
from tests.support.images import tiny_image
from tests.support.postgres import postgres_server
from tests.support.server import PROJECT, RunningServer, Setting, settings_as_environment
from tests.system.command import Command, bare_environment
from tests.system.terminal import typed

WORKERS = 2
# Connections are new each time, so that both workers have their turns.
TURNS = 3


@dataclass(frozen=True)
class Place:
    """A server, and the command at its machine."""

    server: RunningServer
    entrepot: Command

    def does(self, line: str, *more: str, stdin: str | None = None) -> Any:
        said = self.entrepot(*line.split(), *more, "--json", stdin=None if stdin is None else stdin.encode())
        return json.loads(said.output)

    def pull(self, name: str, secret: str) -> set[int]:
        return {self._ask("GET", name, secret) for _ in range(TURNS)}

    def push(self, name: str, secret: str) -> set[int]:
        """Begun only."""
        return {self._ask("POST", name, secret) for _ in range(TURNS)}

    def _ask(self, method: str, name: str, secret: str) -> int:
        path = "manifests/1" if method == "GET" else "blobs/uploads/"
        with self.server.http(auth=(name, secret)) as http:
            return http.request(method, f"/v2/team/app/{path}").status_code


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("people")
    settings: dict[str, Setting] = {}
    with ExitStack() as stack:
        if request.param == "PostgreSQL":
            settings["database"] = stack.enter_context(postgres_server().database())
            settings["key_file"] = folder / "key"
            (folder / "key").write_bytes(secrets.token_bytes(32))
            (folder / "key").chmod(0o600)
        server = stack.enter_context(RunningServer(folder / "data", settings, workers=WORKERS))
        environment = settings_as_environment({**settings, "data": folder / "data", "port": server.port})
        entrepot = Command((sys.executable, "-m", "registry"), environment | {"PYTHONPATH": str(PROJECT)})
        with server.http(auth=httpx.BasicAuth(*server.admin)) as http:
            RegistryClient(http).push_image("team/app", tiny_image(), "1")
        yield Place(server, entrepot)


def test_a_robot_may_what_it_is_granted_from_its_next_request_on_and_nothing_when_disabled(place: Place) -> None:
    made = place.does("robot add team ci")
    robot = (made["name"], made["secret"])
    assert made["login"] == f"docker login -u team+ci {place.server.host}"
    assert place.pull(*robot) == {403}
    place.does("grant add team+ci reader team/**")
    assert (place.pull(*robot), place.push(*robot)) == ({200}, {403})
    place.does("grant add team+ci writer **")
    assert (place.pull(*robot), place.push(*robot)) == ({200}, {202})
    place.does("grant add team+ci push team/app --deny")
    assert (place.pull(*robot), place.push(*robot)) == ({200}, {403})
    place.does("robot disable team+ci")
    assert place.pull(*robot) == {401}
    place.does("robot enable team+ci")
    assert place.pull(*robot) == {200}
    another = place.does("robot rotate team+ci")["secret"]
    assert (place.pull("team+ci", another), place.pull(*robot)) == ({200}, {401})
    place.does("robot remove team+ci")
    assert place.pull("team+ci", another) == {401}


def test_what_a_group_may_its_members_may_until_they_leave(place: Place) -> None:
    alice = ("alice", place.does("user add alice --generate")["password"])
    place.does("group add devs")
    place.does("grant add @devs pull team/*")
    assert place.pull(*alice) == {403}
    place.does("group join devs alice")
    assert place.pull(*alice) == {200}
    place.does("group leave devs alice")
    assert place.pull(*alice) == {403}
    place.does("user admin alice --yes")
    assert place.pull(*alice) == {200}
    place.does("user disable alice")
    assert place.pull(*alice) == {401}


def test_a_token_is_good_until_it_is_taken_back_and_a_password_until_another_one_is_there(place: Place) -> None:
    password = place.does("user add bob --generate")["password"]
    place.does("grant add bob writer team/**")
    token = place.does("token add bob --limit", "pull team/**")
    assert (place.pull("bob", token["secret"]), place.push("bob", token["secret"])) == ({200}, {403})
    assert (place.pull("bob", password), place.push("bob", password)) == ({200}, {202})
    another = place.does("user passwd bob --generate")["password"]
    assert (place.pull("bob", another), place.pull("bob", password)) == ({200}, {401})
    assert place.pull("bob", token["secret"]) == {200}
    place.does(f"token revoke bob {token['uuid']}")
    assert place.pull("bob", token["secret"]) == {401}


def test_somebody_with_an_account_may_pull_what_anyone_may(place: Place) -> None:
    place.does("user add carol --password-stdin", stdin="much too secret\n")
    place.does("grant add anyone pull team/app")
    assert place.pull("carol", "much too secret") == {200}
    place.does("grant remove anyone team/app")
    assert place.pull("carol", "much too secret") == {403}


def test_a_password_is_asked_for_twice_at_a_terminal_and_shown_never(place: Place) -> None:
    line = " ".join([*place.entrepot.prefix, "user", "add", "dave"])
    answers = {"password:": "battery staple", "once more:": "battery staple"}
    code, said = typed(line, bare_environment(place.entrepot.environment), answers)
    assert code == 0, said
    assert "user dave was added" in said
    assert "battery staple" not in said
    place.does("grant add dave pull team/app")
    assert place.pull("dave", "battery staple") == {200}


def test_no_secret_is_in_the_log(place: Place) -> None:
    password = place.does("user add erin --generate")["password"]
    secrets_ = [password, place.does("token add erin")["secret"], place.does("robot add team erin")["secret"]]
    for secret in secrets_:
        place.pull("erin", secret)
    assert not [secret for secret in secrets_ if secret in place.server.output()]


def test_the_data_folder_of_the_server_is_found_by_its_settings_alone(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "entrepot.toml"
    environment = dict(place.entrepot.environment)
    lines = [
        f'{name.removeprefix("REGISTRY_").lower()} = "{environment.pop(name)}"'
        for name in list(environment)
        if name.startswith("REGISTRY_") and name != "REGISTRY_PORT"
    ]
    file.write_text("\n".join(lines))
    elsewhere = Command(place.entrepot.prefix, environment)
    assert "admin" in elsewhere("user", "list", "--config", str(file)).output
