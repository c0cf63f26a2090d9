"""Tokens: what is issued is believed, for as long as it lives."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.keys import KeyRing, SigningKey, jwks
from registry.auth.scopes import Scope
from registry.auth.tokens import (
    LEEWAY,
    Claims,
    NoSigningKey,
    Tokens,
    TokenTooLarge,
)

LIFETIME = timedelta(minutes=5)
Refused = Callable[[Tokens, str, datetime], str]


def decoded(part: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return members


def test_what_was_issued_is_what_is_verified(tokens: Tokens, token: str, claims: Claims, now: datetime) -> None:
    assert tokens.verify(token, now) == claims


def test_a_token_has_the_claim_format_of_the_specification(token: str, key: SigningKey, claims: Claims) -> None:
    header, payload, _ = token.split(".")
    assert decoded(header) == {"alg": "ES256", "kid": key.kid, "typ": "JWT"}
    issued = int(claims.issued.timestamp())
    assert decoded(payload) == {
        "iss": "https://registry.example.com",
        "aud": "entrepot",
        "sub": "7",
        "cid": 3,
        "jti": claims.jti,
        "iat": issued,
        "nbf": issued,
        "exp": issued + 300,
        "access": [
            {"type": "repository", "name": "samalba/my-app", "actions": ["pull", "push"]},
            {"type": "registry", "name": "catalog", "actions": ["*"]},
        ],
    }


def test_a_stranger_verifies_a_token_with_the_published_keys(token: str, ring: KeyRing, now: datetime) -> None:
    published = jwt.PyJWKSet.from_dict(jwks(ring.verifiers(now)))
    key = published[jwt.get_unverified_header(token)["kid"]]
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    assert jwt.decode(token, key, algorithms=["ES256"], audience="entrepot", options=options)["sub"] == "7"


@given(
    subject=st.text(max_size=20),
    credential=st.none() | st.integers(1, 2**63 - 1),
    actions=st.lists(st.sampled_from(["pull", "push", "delete", "*"]), min_size=1, unique=True).map(tuple),
    lifetime=st.timedeltas(timedelta(seconds=1), LIFETIME),
)
def test_any_claims_come_back_while_the_token_lives(
    refused: Refused,
    tokens: Tokens,
    now: datetime,
    subject: str,
    credential: int | None,
    actions: tuple[str, ...],
    lifetime: timedelta,
) -> None:
    claims = Claims.grant(subject, credential, (Scope("repository", "a/b", actions),), now, lifetime)
    token = tokens.issue(claims, now)
    assert tokens.verify(token, claims.issued) == claims
    refused(tokens, token, claims.expires)


def test_no_two_tokens_have_one_id(claims: Claims, now: datetime) -> None:
    assert Claims.grant("7", 3, claims.scopes, now, LIFETIME).jti != claims.jti


def test_the_end_of_a_token_knows_no_leeway(refused: Refused, tokens: Tokens, token: str, claims: Claims) -> None:
    assert tokens.verify(token, claims.expires - timedelta(microseconds=1))
    assert refused(tokens, token, claims.expires) == "it has expired"


def test_a_clock_may_be_thirty_seconds_behind_that_of_the_signer(
    refused: Refused, tokens: Tokens, token: str, claims: Claims
) -> None:
    assert tokens.verify(token, claims.issued - LEEWAY)
    assert refused(tokens, token, claims.issued - LEEWAY - timedelta(microseconds=1)) == "it is from the future"


def test_scopes_that_no_request_could_carry_back_make_no_token(tokens: Tokens, now: datetime) -> None:
    scopes = tuple(Scope("repository", f"{'a' * 250}{number}", ("pull",)) for number in range(100))
    with pytest.raises(TokenTooLarge):
        tokens.issue(Claims.grant("7", 3, scopes, now, LIFETIME), now)


def test_no_token_outlives_the_care_for_its_key(tokens: Tokens, now: datetime) -> None:
    with pytest.raises(ValueError, match="no longer than"):
        tokens.issue(Claims.grant("7", 3, (), now, LIFETIME + timedelta(seconds=2)), now)


def test_without_a_key_in_use_nothing_is_issued(claims: Claims, now: datetime) -> None:
    with pytest.raises(NoSigningKey):
        Tokens("i", "a", lambda: KeyRing((), LIFETIME)).issue(claims, now)


def test_a_key_taken_from_the_ring_takes_its_tokens_with_it(
    refused: Refused, tokens: Tokens, token: str, now: datetime
) -> None:
    empty = replace(tokens, ring=lambda: KeyRing((), LIFETIME))
    assert refused(empty, token, now) == "no key of ours has its key id"
