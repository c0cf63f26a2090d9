"""`auth.sign_in.id_token` and `key_set`, through a whole sign-in: what is forged, borrowed or stale is not believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from registry.auth.sign_in.provider import Provider
from tests.support.scripted_provider import (
    ACCESS_TOKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    PRIVATE,
    ScriptedProvider,
    public_jwk,
    unsigned,
)
from tests.unit.auth.sign_in.providers import refusal, signed_in

ANOTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  it is to be refused


@pytest.mark.parametrize(
    "sign",
    [
        lambda claims: unsigned(claims, kid="first"),
        lambda claims: unsigned(claims, "None", kid="first"),
        lambda claims: unsigned(claims, "ES256", b"\0" * 64, kid="first"),
        lambda claims: unsigned(claims, "ES256", b"", kid="first"),
        lambda claims: jwt.encode(claims, CLIENT_SECRET * 3, algorithm="HS256", headers={"kid": "first"}),
        lambda claims: jwt.encode(claims, ANOTHER, algorithm="RS256", headers={"kid": "first"}),
        lambda claims: jwt.encode(claims, PRIVATE["EdDSA"], algorithm="EdDSA", headers={"kid": "first"}),
        lambda claims: jwt.encode(
            claims, ANOTHER, algorithm="RS256", headers={"kid": "new", "jwk": public_jwk("RS256", "new", ANOTHER)}
        ),
        lambda claims: jwt.encode(claims, PRIVATE["ES256"], algorithm="ES256", headers={"kid": "../first"}),
        lambda claims: "not.a.token",
        lambda claims: "x" * 100_000,
        lambda claims: "e30.e30.",
    ],
)
def test_a_token_that_is_not_signed_by_a_published_key_is_not_believed(
    ours: Provider, theirs: ScriptedProvider, sign: Callable[[dict[str, Any]], str]
) -> None:
    theirs.sign = sign
    refusal(ours, theirs)


def test_a_public_key_is_never_taken_for_a_shared_secret(ours: Provider, theirs: ScriptedProvider) -> None:
    """The oldest trick: HS256, with what everybody may read."""
    pem = (
        PRIVATE["RS256"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    theirs.algorithm = "RS256"

    def sign(claims: dict[str, Any]) -> str:
        unfinished = unsigned(claims, "HS256", kid="first").rstrip(".")
        return f"{unfinished}.{_base64url(hmac.digest(pem, unfinished.encode(), 'sha256'))}"

    theirs.sign = sign
    assert "HS256 is not believed" in refusal(ours, theirs)


def test_a_shared_secret_that_is_published_is_no_key(ours: Provider, theirs: ScriptedProvider) -> None:
    theirs.keys = lambda: [{"kty": "oct", "k": _base64url(b"k" * 64), "kid": "first", "alg": "HS256"}]
    theirs.sign = lambda claims: jwt.encode(claims, b"k" * 64, algorithm="HS256", headers={"kid": "first"})
    assert "HS256 is not believed" in refusal(ours, theirs)


@pytest.mark.parametrize(
    "key",
    [
        public_jwk("RS256", "first", WEAK),
        {**public_jwk("RS256", "first"), "use": "enc"},
        {**public_jwk("RS256", "first"), "alg": "RSA-OAEP"},
        {**public_jwk("RS256", "first"), "n": "AQAB"},
        {**public_jwk("RS256", "first"), "n": None},
        {**public_jwk("ES256", "first"), "crv": "P-384"},
        {**jwt.get_algorithm_by_name("RS256").to_jwk(PRIVATE["RS256"], as_dict=True), "kid": "first"},
        {"kty": "RSA", "kid": "first"}, "first", None, 7,
    ],
)  # fmt: skip
def test_a_key_that_is_weak_or_meant_for_something_else_is_none(
    ours: Provider, theirs: ScriptedProvider, key: Any
) -> None:
    theirs.algorithm = "RS256"
    theirs.keys = lambda: [key]
    if isinstance(key, dict) and key == public_jwk("RS256", "first", WEAK):
        theirs.sign = _weakly
    assert "no key of the provider is 'first' for RS256" in refusal(ours, theirs)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"nonce": "another"}, "made for another sign-in"),
        ({"nonce": None}, 'missing the "nonce" claim'),
        ({"nonce": 7}, "made for another sign-in"),
        ({"aud": "somebody"}, "Audience doesn't match"),
        ({"aud": ["somebody"]}, "Audience doesn't match"),
        ({"aud": None}, 'missing the "aud" claim'),
        ({"aud": [CLIENT_ID, "somebody"]}, "names no authorized party"),
        ({"aud": [CLIENT_ID, "somebody"], "azp": "somebody"}, "another party is authorized"),
        ({"azp": "somebody"}, "another party is authorized"),
        ({"iss": "https://evil.example"}, "Invalid issuer"),
        ({"iss": None}, 'missing the "iss" claim'),
        ({"exp": 1}, "it has expired"),
        ({"exp": int(time.time()) - 3600}, "it has expired"),
        ({"exp": None}, 'missing the "exp" claim'),
        ({"exp": "tomorrow"}, "an instant is no number"),
        ({"exp": True}, "an instant is no number"),
        ({"exp": float("nan")}, "it has expired"),
        ({"iat": int(time.time()) + 3600}, "it is from the future"),
        ({"nbf": int(time.time()) + 3600}, "it is from the future"),
        ({"iat": None}, 'missing the "iat" claim'),
        ({"sub": None}, 'missing the "sub" claim'),
        ({"sub": 7}, "Subject must be a string"),
        ({"sub": ""}, "a subject of 0 characters"),
        ({"at_hash": "another"}, "with another access token"),
        ({"preferred_username": None}, "no claim preferred_username"),
        ({"preferred_username": ["alice"]}, "no claim preferred_username"),
        ({"groups": {"devs": True}}, "the claim groups is no list of names"),
        ({"groups": ["devs", 7]}, "the claim groups is no list of names"),
        ({"groups": None, "_claim_names": {"groups": "src1"}}, "too many for a token"),
    ],
)
def test_a_claim_that_is_wrong_is_not_believed(
    ours: Provider, theirs: ScriptedProvider, claims: dict[str, Any], reason: str
) -> None:
    theirs.claims |= claims
    assert reason in refusal(ours, theirs)


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        ({"aud": [CLIENT_ID]}, {"@devs"}),
        ({"aud": [CLIENT_ID, "somebody"], "azp": CLIENT_ID}, {"@devs"}),
        ({"groups": None}, set()),
        ({"groups": "devs"}, {"@devs"}),
        ({"groups": ["/Team A/devs", "Übung", "--"]}, {"@team-a-devs"}),
    ],
)
def test_what_providers_may_say_otherwise_is_understood(
    ours: Provider, theirs: ScriptedProvider, claims: dict[str, Any], groups: set[str]
) -> None:
    theirs.claims |= claims
    assert signed_in(ours, theirs).groups == groups


def test_a_clock_that_is_a_little_ahead_of_theirs_is_forgiven(ours: Provider, theirs: ScriptedProvider) -> None:
    theirs.claims["exp"] = int(time.time()) - 5
    assert signed_in(ours, theirs).groups == {"@devs"}


@pytest.mark.parametrize(("algorithm", "hash_name"), [("ES256", "sha256"), ("EdDSA", "sha512")])
def test_the_hash_of_the_access_token_is_compared(
    ours: Provider, theirs: ScriptedProvider, algorithm: str, hash_name: str
) -> None:
    theirs.algorithm = algorithm
    hashed = hashlib.new(hash_name, ACCESS_TOKEN.encode()).digest()
    theirs.claims["at_hash"] = _base64url(hashed[: len(hashed) // 2])
    assert signed_in(ours, theirs).name == "alice"


def _weakly(claims: dict[str, Any]) -> str:
    unfinished = unsigned(claims, "RS256", kid="first").rstrip(".")
    return f"{unfinished}.{_base64url(WEAK.sign(unfinished.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
