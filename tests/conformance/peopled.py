"""A registry in this process with people in it, who sign in by their own names: for tests of who may do what."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from registry.app import create_app
from registry.config import Settings
from tests.conformance.claims import keeps_every_promise
from tests.conformance.deployments import ACCEPT, ADMIN, IN_PROCESS, PASSWORD, Deployment
from tests.support.client import RegistryClient
from tests.support.images import TinyImage, tiny_image
from tests.support.inprocess import URL, in_process
from tests.support.login import BearerLogin
from tests.support.registrar import Login, Registrar, registrar
from tests.support.server import Setting, settings_as_environment


@dataclass(frozen=True)
class Peopled:
    """The registry, and who makes its people."""

    deployment: Deployment
    people: Registrar
    settings: Settings

    def client(self, login: Login = ADMIN) -> RegistryClient:
        """Somebody, by bearer tokens."""
        return RegistryClient(self.deployment.connect(BearerLogin(*login)))

    def by_basic(self, login: Login) -> RegistryClient:
        """The same, showing the password each time."""
        return RegistryClient(self.deployment.connect(httpx.BasicAuth(*login)))

    def image(self, repository: str, *tags: str) -> TinyImage:
        """One that the administrator has pushed."""
        made = tiny_image(repository)
        self.client().push_image(repository, made, *(tags or ("v1",)))
        return made


@contextmanager
def peopled(data: Path, **settings: Setting) -> Iterator[Peopled]:
    """With only an administrator so far."""
    wanted: dict[str, Setting] = {
        "data": data, "admin_password": PASSWORD, "log_level": "warning", "access_log": False, **settings
    }  # fmt: skip
    configuration = Settings.load(environ=settings_as_environment(wanted))
    with in_process(create_app(configuration)) as transport, registrar(data, wanted) as people:

        def connect(auth: httpx.Auth | None) -> httpx.Client:
            hooks = {"response": [keeps_every_promise]}
            return httpx.Client(
                base_url=URL, auth=auth, transport=transport, headers={"Accept": ACCEPT}, event_hooks=hooks
            )  # fmt: skip

        yield Peopled(Deployment(IN_PROCESS, URL, connect, ADMIN), people, configuration)
