"""One key ring and what signs with it, at a fixed instant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from registry.auth.keys import KeyRing, SigningKey
from registry.auth.scopes import Scope
from registry.auth.tokens import Claims, InvalidToken, Tokens

LIFETIME = timedelta(minutes=5)


@pytest.fixture(scope="session")
def now() -> datetime:
    return datetime(2026, 7, 1, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture(scope="session")
def key(now: datetime) -> SigningKey:
    return SigningKey.generate(now - timedelta(days=1), now - timedelta(days=1))


@pytest.fixture(scope="session")
def ring(key: SigningKey) -> KeyRing:
    return KeyRing((key,), LIFETIME)


@pytest.fixture(scope="session")
def tokens(ring: KeyRing) -> Tokens:
    return Tokens("https://registry.example.com", "entrepot", lambda: ring)


@pytest.fixture(scope="session")
def claims(now: datetime) -> Claims:
    scopes = Scope("repository", "samalba/my-app", ("pull", "push")), Scope("registry", "catalog", ("*",))
    return Claims.grant("7", 3, scopes, now, LIFETIME)


@pytest.fixture(scope="session")
def token(tokens: Tokens, claims: Claims, now: datetime) -> str:
    return tokens.issue(claims, now)


@pytest.fixture(scope="session")
def refused() -> Callable[[Tokens, str, datetime], str]:
    """Why a token is refused; outside, all refusals read alike and repeat nothing."""

    def reason(tokens: Tokens, token: str, now: datetime) -> str:
        with pytest.raises(InvalidToken) as caught:
            tokens.verify(token, now)
        assert str(caught.value) == "invalid token"
        assert len(token) < 40 or token[:40] not in caught.value.reason
        return caught.value.reason

    return reason
