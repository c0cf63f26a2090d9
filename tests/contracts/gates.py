"""Workers that recognise callers, each with what it keeps in memory, over one database that others change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from registry.api.authenticate import Authenticator
from registry.api.password_checks import PasswordChecks
from registry.auth.keys import KeyRing, SigningKey
from registry.auth.passwords import Passwords
from registry.auth.tokens import Claims, Tokens, VerifiedTokens
from registry.core.access import Access
from registry.core.accounts import Residents
from registry.core.facts import Caller
from registry.core.logins import LoginLimits, LoginThrottle
from registry.core.rights import Right
from registry.oci.errors import Unauthorized
from registry.oci.names import RepositoryName
from tests.contracts.conftest import Database

GENEROUS = LoginLimits(10_000, 10_000, timedelta(seconds=30))
DAY = timedelta(days=1)


def new_tokens() -> Tokens:
    now = datetime.now(UTC)
    ring = KeyRing((SigningKey.generate(now - DAY, now - DAY),), DAY)
    return Tokens("entrepot", "entrepot", lambda: ring)


@dataclass(frozen=True)
class Gate:
    """One worker's."""

    authenticator: Authenticator
    tokens: Tokens
    runner: asyncio.Runner

    def recognise(self, authorization: str | None) -> Caller | None:
        """Who that is; None for nobody."""
        try:
            return self.runner.run(self.authenticator.recognise(authorization)).caller
        except Unauthorized:
            return None

    def may(self, authorization: str | None, right: Right, name: RepositoryName) -> bool | None:
        """None for who is nobody."""
        caller = self.recognise(authorization)
        return None if caller is None else Access().granted(caller, right, name)

    def bearer(self, authorization: str) -> str:
        """A token as one is given out for that."""
        caller, now = self.recognise(authorization), datetime.now(UTC)
        assert caller is not None
        return "Bearer " + self.tokens.issue(Claims.grant(str(caller.principal), caller.credential, (), now, DAY), now)


@contextmanager
def gate(database: Database, residents: Residents, passwords: Passwords, tokens: Tokens) -> Iterator[Gate]:
    throttle = LoginThrottle(database.metadata, GENEROUS)
    checks = PasswordChecks(database.metadata, passwords, throttle)
    with database.worker() as worker:
        authenticator = Authenticator(worker.reader, checks, residents, VerifiedTokens(tokens), is_open=False)
        yield Gate(authenticator, tokens, worker.runner)
        authenticator.close()
