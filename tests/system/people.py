"""A registry with people in it, for the clients that they use, and the clients themselves once they have signed in."""

import base64
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.client import RegistryClient
from tests.support.login import BearerLogin
from tests.support.registrar import Login, Registrar, registrar
from tests.support.server import PROJECT, RunningServer, Setting, settings_as_environment
from tests.system.command import Command, Outcome
from tests.system.dockerd import Dockerd


@dataclass(frozen=True)
class Town:
    """The server, and who makes its people while it runs."""

    server: RunningServer
    people: Registrar

    @property
    def host(self) -> str:
        """As in an image's name."""
        return self.server.host

    def entrepot(self, line: str, *more: str) -> Any:
        """What the command says in JSON, run at the server's machine."""
        known = settings_as_environment({**self.server.settings, "data": self.server.data, "port": self.server.port})
        command = Command((sys.executable, "-m", "registry"), known | {"PYTHONPATH": str(PROJECT)})
        return json.loads(command(*line.split(), *more, "--json").output)

    @contextmanager
    def client(self, login: Login | None = None) -> Iterator[RegistryClient]:
        """Somebody, by bearer tokens; the administrator, if nobody is named."""
        with self.server.http(auth=BearerLogin(*(login or self.server.admin))) as http:
            yield RegistryClient(http)

    def docker(self, dockerd: Dockerd, config: Path, login: Login | None = None) -> Command:
        """The docker command of somebody, who has signed in if `login` is given."""
        config.mkdir(parents=True, exist_ok=True)
        docker = dockerd.client(config)
        if login:
            assert "Login Succeeded" in sign_in(docker, self.host, login).text
        return docker


@contextmanager
def town(data: Path, **settings: Setting) -> Iterator[Town]:
    """Two workers, so that what is changed is always seen by another one as well."""
    with RunningServer(data, settings, workers=2) as server, registrar(data, server.settings) as people:
        yield Town(server, people)


def sign_in(client: Command, host: str, login: Login, *options: str) -> Outcome:
    """`docker login`, or the same of another client."""
    name, secret = login
    return client.run("login", *options, "--username", name, "--password-stdin", host, stdin=secret.encode())


def kept_of(config: Path, host: str) -> tuple[str, str, str]:
    """What docker keeps of a login: name, password, identity token."""
    kept: dict[str, Any] = json.loads((config / "config.json").read_text())["auths"][host]
    name, _, password = base64.b64decode(kept["auth"]).decode().partition(":")
    return name, password, kept.get("identitytoken", "")
