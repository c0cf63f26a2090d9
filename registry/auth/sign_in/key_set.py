"""The keys that a provider publishes (RFC 7517), each for the algorithms that we believe it with, and for no other.

    RS256, PS256   RSA of 2048 to 8192 bits      ES256   P-256      EdDSA   Ed25519

A secret shared with the client (HS256) is not among them, so a public key can never be taken for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from registry.auth.sign_in.documents import json_object
from registry.client.errors import Malformed

MOST_KEYS: Final = 64
ALGORITHMS: Final[Mapping[str, str]] = MappingProxyType({"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"})
"""By name, the type of its keys (RFC 7518, 6.1; RFC 8037, 2)."""

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
_RSA_BITS: Final = range(2048, 8193)


@dataclass(frozen=True, slots=True)
class Key:
    """A key that can be used, under the name that its provider gave it."""

    kid: str | None
    algorithms: frozenset[str]
    public: PublicKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeySet:
    """All of them; others of the same document are left out, for a provider may have keys for other purposes."""

    keys: tuple[Key, ...]

    def find(self, kid: str | None, algorithm: str) -> Key | None:
        """The key of that name; without one, the only key that it can be (OpenID Connect Core 1.0, 10.1)."""
        fitting = [key for key in self.keys if algorithm in key.algorithms and kid in {None, key.kid}]
        return fitting[0] if len(fitting) == 1 else None


def parse_key_set(body: bytes) -> KeySet:
    """Raises: Malformed, for a document that is none; not for keys that are of no use."""
    written = json_object(body, "the key set").get("keys")
    if not isinstance(written, list) or len(written) > MOST_KEYS:
        raise Malformed(f"the key set has no list of at most {MOST_KEYS} keys")
    return KeySet(tuple(key for key in map(_key, written) if key))


def _key(jwk: object) -> Key | None:
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig":
        return None
    algorithms = [name for name, kty in ALGORITHMS.items() if kty == jwk.get("kty") and jwk.get("alg", name) == name]
    public = _public(jwk, algorithms[0]) if algorithms else None
    kid = jwk.get("kid")
    if public is None or not isinstance(kid, str | None):
        return None
    return Key(kid, frozenset(algorithms), public)


def _public(jwk: dict[str, Any], algorithm: str) -> PublicKey | None:
    """The key, if it is as strong as it must be and its private half was not published with it."""
    try:
        key = jwt.PyJWK(jwk, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError):
        return None
    is_strong = (
        (isinstance(key, RSAPublicKey) and key.key_size in _RSA_BITS)
        or (isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1))
        or isinstance(key, Ed25519PublicKey)
    )
    return key if is_strong else None
