"""ID tokens: what a provider says of somebody, believed only after every check of OpenID Connect Core 1.0, 3.1.3.7.

header   alg (one of ours), kid        names the key of the provider's set; jwk, jku, x5u are never followed
payload  iss, aud, azp                 made by this provider, for this client
         exp, iat                      of now
         nonce                         for the sign-in that this browser began
         at_hash                       if it is there: issued together with this access token
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import jwt

from registry.auth.sign_in.key_set import ALGORITHMS, Key
from registry.auth.sign_in.refusals import SignInRefused
from registry.client.errors import harmless

LEEWAY: Final = timedelta(minutes=1)
"""How far a provider's clock may differ from ours."""
LARGEST: Final = 64 << 10

# Ed25519 hashes with SHA-512 itself, and so does who hashes beside it.
_HASHES: Final = {"RS256": "sha256", "PS256": "sha256", "ES256": "sha256", "EdDSA": "sha512"}
_REQUIRED: Final = ["iss", "sub", "aud", "exp", "iat", "nonce"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say to be meant for us."""

    source: str
    issuer: str
    client_id: str
    nonce: str
    access_token: str | None


@dataclass(frozen=True, slots=True)
class Header:
    """What a token says of its signature, not yet believed."""

    algorithm: str
    kid: str | None


def header_of(token: str, source: str) -> Header:
    """Whose key to look for. Raises: SignInRefused."""
    if len(token) > LARGEST:
        raise SignInRefused(f"{source}: an ID token of {len(token)} bytes is too large")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise SignInRefused(f"{source}: what should be an ID token is none") from None
    algorithm, kid = header.get("alg"), header.get("kid")
    is_usual = isinstance(kid, str | None) and "crit" not in header
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or not is_usual:
        raise SignInRefused(f"{source}: an ID token with algorithm {harmless(str(algorithm))} is not believed")
    return Header(algorithm, kid)


def claims_of(token: str, header: Header, key: Key, expected: Expected, now: datetime) -> dict[str, Any]:
    """What the token says, once all of it was checked. Raises: SignInRefused."""
    claims = _signed(token, header, key, expected)
    wrong = (
        _wrong_party(claims, expected.client_id)
        or _wrong_time(claims, now.timestamp(), LEEWAY.total_seconds())
        or _wrong_binding(claims, header, expected)
    )
    if wrong:
        raise SignInRefused(f"{expected.source}: the ID token is not believed: {wrong}")
    return claims


def _signed(token: str, header: Header, key: Key, expected: Expected) -> dict[str, Any]:
    # The library reads the machine's clock; ours is an argument, so the instants are compared here.
    options: jwt.types.Options = {
        "require": _REQUIRED, "verify_exp": False, "verify_nbf": False, "verify_iat": False,
    }  # fmt: skip
    try:
        return jwt.decode(
            token,
            key.public,
            algorithms=[header.algorithm],
            audience=expected.client_id,
            issuer=expected.issuer,
            options=options,
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        told = harmless(f"{type(error).__name__}: {error}")
        raise SignInRefused(f"{expected.source}: the ID token is not believed: {told}") from None


def _wrong_party(claims: Mapping[str, Any], client_id: str) -> str | None:
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and "azp" not in claims:
        return "it is for several, and names no authorized party"
    return None if claims.get("azp", client_id) == client_id else "another party is authorized by it"


def _wrong_time(claims: Mapping[str, Any], now: float, leeway: float) -> str | None:
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    if not all(type(each) in {int, float} for each in times.values()):
        return "an instant is no number"
    if not times["exp"] > now - leeway:
        return "it has expired"
    if not all(times[name] < now + leeway for name in ("iat", "nbf") if name in times):
        return "it is from the future"
    return None


def _wrong_binding(claims: Mapping[str, Any], header: Header, expected: Expected) -> str | None:
    if not _same(claims["nonce"], expected.nonce):
        return "it was made for another sign-in"
    if "at_hash" in claims and expected.access_token is not None:
        hashed = hashlib.new(_HASHES[header.algorithm], expected.access_token.encode()).digest()
        half = base64.urlsafe_b64encode(hashed[: len(hashed) // 2]).rstrip(b"=").decode()
        if not _same(claims["at_hash"], half):
            return "it was issued with another access token"
    return None


def _same(said: object, wanted: str) -> bool:
    return isinstance(said, str) and hmac.compare_digest(said.encode(errors="replace"), wanted.encode())
