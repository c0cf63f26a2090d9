"""The pages of a whole registry, without server or socket, and browsers that look at them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from html import unescape
from itertools import count
from pathlib import Path
from typing import Any, Self

import httpx

from registry.app import create_app
from registry.auth.passwords import Passwords
from registry.config import Settings
from registry.core.facts import Caller, CredentialKind, Secret
from registry.core.granting import GrantService
from registry.core.people import PeopleService
from registry.metadata.sqlite import SqliteMetadata
from tests.support.inprocess import InProcessTransport, in_process
from tests.unit.metadata.databases import rows

PASSWORD, ANOTHER = "correct horse", "battery staple"
HOST = "registry.test"
_NUMBERS = count(1)
# Tests share an address, and many of them fail on purpose.
_QUIET: dict[str, Any] = {
    "admin_password": PASSWORD,
    "sweep_interval": timedelta(hours=1),
    "login_attempts": 1000,
    "login_attempts_source": 1000,
}


@dataclass
class Browser:
    """Keeps cookies, follows no redirect by itself, and finds forms."""

    client: httpx.Client

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers=_named(headers))

    def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        return self.client.post(path, data=fields, headers=_named(headers))

    def mark(self, path: str = "/account") -> dict[str, str]:
        """What a form of this page carries."""
        return mark_in(self.get(path))

    def submit(self, path: str, page: str = "/account", **fields: str) -> httpx.Response:
        """A form of this page, filled in."""
        return self.post(path, self.mark(page) | fields)

    def sign_in(self, name: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
        return self.submit("/login", "/login", username=name, password=password, **fields)

    def plant(self, session: str) -> None:
        """Somebody else has put this secret into its cookie."""
        self.client.cookies.set(SESSION_COOKIES[0], session, domain=HOST)

    @property
    def session(self) -> str | None:
        """The secret in its cookie."""
        return next(
            (each.value for each in self.client.cookies.jar if each.name in SESSION_COOKIES and each.value), None
        )

    @property
    def is_signed_in(self) -> bool:
        return self.get("/account").status_code == 200


SESSION_COOKIES = ("entrepot-session", "__Host-entrepot")


@dataclass
class Site:
    """One registry; whoever a test needs, it makes itself."""

    transport: InProcessTransport
    metadata: SqliteMetadata
    settings: dict[str, Any]
    browsers: list[Browser] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.people = PeopleService(self.metadata)
        self.grants = GrantService(self.metadata)
        found = self.metadata.observe(lambda tx: tx.accounts.find("admin"))
        assert found is not None
        self.admin: Caller = found

    def browser(self, scheme: str = "http") -> Browser:
        """Another one."""
        browser = Browser(httpx.Client(transport=self.transport, base_url=f"{scheme}://{HOST}"))
        self.browsers.append(browser)
        return browser

    def user(self, password: str = PASSWORD, **facts: Any) -> str:
        """The name of a new one."""
        name = f"user{next(_NUMBERS)}"
        self.people.add_user(name, self.admin, password=_hashed(password), **facts)
        return name

    def secrets(self, name: str, kind: CredentialKind = CredentialKind.SESSION) -> list[Secret]:
        """What is good by now."""
        owner = self.people.get(name).id
        return [each for each in self.metadata.observe(lambda tx: tx.credentials.of(owner)) if each.kind is kind]

    def pull(self, name: str, password: str) -> int:
        """What `docker login` would hear."""
        return (
            httpx.Client(transport=self.transport, base_url=f"http://{HOST}")
            .get("/v2/", auth=(name, password))
            .status_code
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the tables say."""
        return rows(self.settings["folder"] / "registry.db", query)

    def another_worker(self) -> AbstractContextManager[Site]:
        """Of the same registry."""
        return Site.opened(**self.settings)

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, **settings: Any) -> Iterator[Self]:
        """For as long as it is needed."""
        application = create_app(
            Settings(data=folder, admin_password=PASSWORD, sweep_interval=timedelta(hours=1), **settings)
        )
        metadata = SqliteMetadata(folder / "registry.db")
        try:
            with in_process(application) as transport:
                site = cls(transport, metadata, {"folder": folder} | settings)
                yield site
                for browser in site.browsers:
                    browser.client.close()
        finally:
            metadata.close()


def mark_in(page: httpx.Response) -> dict[str, str]:
    """The hidden field that every form has."""
    found = re.search(r'<input type="hidden" name="mark" value="([0-9a-f]{64})">', page.text)
    assert found, page.text
    return {"mark": found[1]}


def told(page: httpx.Response) -> str:
    """What the page says went wrong."""
    found = re.search(r'role="alert">(.*?)</p>', page.text) or re.search(r'<p class="lead">(.*?)</p>', page.text)
    assert found, page.text
    return unescape(found[1])


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@cache
def _hashed(password: str) -> str:
    """Once: a hash takes 30 ms."""
    return Passwords().hash(password)
