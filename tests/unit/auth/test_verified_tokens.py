"""What is remembered of a token: for a minute, and never beyond its end or its key ring."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest

from registry.auth.keys import KeyRing
from registry.auth.tokens import (
    Claims,
    InvalidToken,
    Tokens,
    VerifiedTokens,
)

LIFETIME = timedelta(minutes=5)


class Exchangeable:
    """Tokens of a ring that can be exchanged for another."""

    def __init__(self, ring: KeyRing) -> None:
        self.present = ring
        self.tokens = Tokens("https://registry.example.com", "entrepot", lambda: self.present)


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each token of which a signature was verified, in turn."""
    seen: list[str] = []
    original = jwt.decode

    def counted(token: str, *arguments: Any, **options: Any) -> Any:
        seen.append(token)
        return original(token, *arguments, **options)

    monkeypatch.setattr("registry.auth.tokens.jwt.decode", counted)
    return seen


def test_a_token_seen_again_within_a_minute_costs_no_signature(
    tokens: Tokens, token: str, claims: Claims, now: datetime, verifications: list[str]
) -> None:
    verified = VerifiedTokens(tokens)
    for seconds in (0, 1, 30, 59):
        assert verified.verify(token, now + timedelta(seconds=seconds)) == claims
    assert verifications == [token]
    assert verified.verify(token, now + timedelta(seconds=60)) == claims
    assert verifications == [token, token]


def test_a_remembered_token_dies_when_it_would_have(
    tokens: Tokens, token: str, claims: Claims, verifications: list[str]
) -> None:
    verified = VerifiedTokens(tokens)
    last = claims.expires - timedelta(microseconds=1)
    assert verified.verify(token, last) == claims
    assert verified.verify(token, last) == claims
    assert len(verifications) == 1
    with pytest.raises(InvalidToken) as caught:
        verified.verify(token, claims.expires)
    assert caught.value.reason == "it has expired"


def test_a_refused_token_is_not_remembered(tokens: Tokens, token: str, now: datetime) -> None:
    verified = VerifiedTokens(tokens)
    for bad in (token[:-4], "", "\ud800", token + "\n"):
        with pytest.raises(InvalidToken):
            verified.verify(bad, now)
    assert len(verified) == 0


def test_another_key_ring_makes_all_remembered_tokens_be_verified_anew(
    ring: KeyRing, token: str, now: datetime
) -> None:
    exchangeable = Exchangeable(ring)
    verified = VerifiedTokens(exchangeable.tokens)
    verified.verify(token, now)
    exchangeable.present = KeyRing((), LIFETIME)
    with pytest.raises(InvalidToken):
        verified.verify(token, now)
    assert len(verified) == 0


def test_an_equal_key_ring_keeps_what_is_remembered(
    ring: KeyRing, token: str, now: datetime, verifications: list[str]
) -> None:
    exchangeable = Exchangeable(ring)
    verified = VerifiedTokens(exchangeable.tokens)
    verified.verify(token, now)
    exchangeable.present = KeyRing(tuple(ring.keys), LIFETIME)
    verified.verify(token, now)
    assert verifications == [token]


def test_neither_tokens_nor_their_number_fill_the_memory(tokens: Tokens, claims: Claims, now: datetime) -> None:
    verified = VerifiedTokens(tokens, size=3)
    issued = [tokens.issue(replace(claims, jti=str(number)), now) for number in range(5)]
    for token in issued:
        verified.verify(token, now)
    assert len(verified) == 3
    assert all(isinstance(entry, bytes) and len(entry) == 32 for entry in verified._verified._entries)
    verified.clear()
    assert len(verified) == 0
