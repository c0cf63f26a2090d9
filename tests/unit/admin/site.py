"""A registry in this process, and people who administer it, or would like to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from registry.app import create_app
from registry.config import Settings
from tests.support.inprocess import URL, InProcessTransport, in_process
from tests.support.server import Setting, settings_as_environment

ADMIN, PASSWORD = "admin", "correct horse battery"
_numbers = itertools.count(1)


@dataclass
class Person:
    """Somebody who signs in: the API as calls, each answer as it came."""

    name: str
    password: str
    http: httpx.Client

    def ask(self, method: str, path: str, **options: object) -> httpx.Response:
        """Anything; `path` is below the API's prefix."""
        return self.http.request(method, f"/api/v1{path}", **options)  # type: ignore[arg-type]  # httpx's own keywords

    def get(self, path: str, **parameters: str | int) -> httpx.Response:
        return self.ask("GET", path, params=parameters or None)

    def put(self, path: str, document: object = None, **headers: str) -> httpx.Response:
        return self.ask("PUT", path, json=document, headers=_headers(headers))

    def post(self, path: str, document: object = None) -> httpx.Response:
        return self.ask("POST", path, json=document)

    def delete(self, path: str, **headers: str) -> httpx.Response:
        return self.ask("DELETE", path, headers=_headers(headers))


@dataclass
class Site:
    """One registry, and who is known to it."""

    transport: InProcessTransport
    admin: Person = field(init=False)

    def __post_init__(self) -> None:
        self.admin = self.person(ADMIN, PASSWORD)

    def person(self, name: str, password: str) -> Person:
        """Somebody who signs in by Basic, whether there is such a one or not."""
        return Person(name, password, self.client((name, password)))

    def client(self, auth: tuple[str, str] | None = None, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=URL, transport=self.transport, auth=auth, headers=_headers(headers))

    def bearer(self, secret: str) -> Person:
        """Somebody who shows a secret alone."""
        return Person("", secret, self.client(authorization=f"Bearer {secret}"))

    def user(self, **wanted: object) -> Person:
        """One more, made for this test alone."""
        name = new_name()
        assert self.admin.put(f"/users/{name}", {"password": PASSWORD, **wanted}).status_code == 201
        return self.person(name, PASSWORD)

    def grant(self, subject: str, pattern: str, *actions: str, effect: str = "allow") -> str:
        """A grant by the administrator; its UUID."""
        path = f"/grants/{subject}/{effect}"
        answer = self.admin.ask("PUT", path, params={"pattern": pattern}, json={"actions": actions})
        assert answer.status_code in {200, 201}, answer.text
        return str(answer.json()["uuid"])


@contextmanager
def site(data: Path, **settings: Setting) -> Iterator[Site]:
    """One on a folder of its own."""
    wanted = {"data": data, "admin_password": PASSWORD, "log_level": "warning", **settings}
    with in_process(create_app(Settings.load(environ=settings_as_environment(wanted)))) as transport:
        yield Site(transport)


def new_name() -> str:
    """One that no other test uses."""
    return f"person{next(_numbers)}"


def new_project() -> str:
    return f"project{next(_numbers)}"


def _headers(named: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in named.items()}
