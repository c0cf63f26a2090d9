"""The distribution API on a database, a store and accounts of its own, asked without any server."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry.api.authenticate import Authenticator
from registry.api.last_use import LastUse
from registry.api.messages import Identity, Request
from registry.api.password_checks import PasswordChecks
from registry.api.services import Threads
from registry.api.tokens import TokenService
from registry.auth.keys import KeyRing, SigningKey
from registry.auth.passwords import Passwords
from registry.auth.tokens import Tokens, VerifiedTokens
from registry.core.access import PULL_BY_ANYONE, Access
from registry.core.accounts import ADMIN
from registry.core.credentials import CredentialService
from registry.core.logins import LoginLimits, LoginThrottle
from registry.metadata.reader import SqliteReader
from tests.unit.core.house import House
from tests.unit.metadata.databases import quick_folder

PASSWORD = "correct horse"
LIFETIME = timedelta(minutes=5)
GENEROUS = LoginLimits(10_000, 10_000, timedelta(seconds=30))


def request(path: str = "/v2/", method: str = "GET", query: str = "", **headers: str) -> Request:
    """A request for `path`, whose name and last part are not read; a header's underscores are hyphens."""
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": query.encode("latin-1"),
        "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()],
        "server": ("192.0.2.1", 5000),
        "scheme": "http",
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    return Request(scope, receive, "", "")


def basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


class Counting(Passwords):
    """Counts what costs 30 ms each."""

    verified = 0

    def verify(self, password: str, stored: str | None) -> Any:
        self.verified += 1
        return super().verify(password, stored)


@dataclass
class Gate:
    """Who asks, and for which tokens."""

    house: House
    passwords: Counting
    tokens: Tokens
    is_open: bool = False
    anonymous_pull: bool = False
    login_limits: LoginLimits = field(default=GENEROUS, init=False)

    def __post_init__(self) -> None:
        connection = self.house.metadata.reader()
        reader = SqliteReader(connection.run, connection.version)
        self.checks = PasswordChecks(
            self.house.metadata, self.passwords, LoginThrottle(self.house.metadata, self.login_limits)
        )
        self.last_use = LastUse(CredentialService(self.house.metadata), pause=0)
        self.authenticator = Authenticator(
            reader, self.checks, self.house.residents, VerifiedTokens(self.tokens),
            is_open=self.is_open, always=(PULL_BY_ANYONE,) if self.anonymous_pull else (), last_use=self.last_use,
        )  # fmt: skip
        self.in_thread = Threads(1)
        self.service = TokenService(
            self.authenticator, self.tokens, Access(), CredentialService(self.house.metadata), self.in_thread,
            "entrepot", LIFETIME, timedelta(days=1),
        )  # fmt: skip

    def recognise(self, authorization: str | None) -> Identity:
        return asyncio.run(self.authenticator.recognise(authorization))

    def recognise_from(self, address: str, authorization: str) -> Identity:
        return asyncio.run(self.authenticator.recognise(authorization, address))

    def sql(self, statement: str, *values: object) -> None:
        """As another worker, or an operator, would: behind this process's back."""
        self.house.rows(statement, *values)


@pytest.fixture(scope="session")
def tokens() -> Tokens:
    now = datetime.now(UTC)
    ring = KeyRing((SigningKey.generate(now - timedelta(days=1), now - timedelta(days=1)),), LIFETIME)
    return Tokens("entrepot", "entrepot", lambda: ring)


@pytest.fixture(scope="session")
def passwords() -> Counting:
    return Counting()


@pytest.fixture(scope="session")
def secret(passwords: Counting) -> str:
    return passwords.hash(PASSWORD)


@pytest.fixture
def gate(tokens: Tokens, passwords: Counting, secret: str) -> Iterator[Gate]:
    with quick_folder() as folder, closing(House(folder)) as house:
        house.rows("UPDATE credential SET secret = ?", secret)
        house.metadata.transact(lambda tx: tx.accounts.add_password(tx.accounts.add("bob", "user"), secret))
        passwords.verified = 0
        assert house.admin.name == ADMIN
        gate = Gate(house, passwords, tokens)
        yield gate
        gate.authenticator.close()
        gate.in_thread.close()
