"""The keys that sign tokens, and the rules of their succession.

    created ── published, verifies ──▶ not_before ── signs ──▶ successor's not_before ── verifies ──▶ last token dead
             PUBLICATION (1 h)                  ROTATION (30 d)                     token lifetime + PUBLICATION

A key is published before its use because another process may be that late in reading the ring, and stays for the same
while longer because that process may still sign with it. Only where no key can sign (the first start, or one after a
long rest) is a new one used at once.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric import ec

ROTATION: Final = timedelta(days=30)
PUBLICATION: Final = timedelta(hours=1)
LIFE: Final = 2 * ROTATION
"""The end of a key that nobody replaced: an instance that rested for weeks starts with the keys it has."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An ES256 key pair. The kid is the thumbprint of its public half (RFC 7638), so that equal kids are equal keys."""

    kid: str
    private: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)
    public: ec.EllipticCurvePublicKey = field(repr=False, compare=False)
    created: datetime
    not_before: datetime
    expires: datetime

    @classmethod
    def generate(cls, created: datetime, not_before: datetime) -> Self:
        """A new key, to sign from `not_before` on."""
        return cls.of(ec.generate_private_key(ec.SECP256R1()), created, not_before, not_before + LIFE)

    @classmethod
    def of(
        cls, private: ec.EllipticCurvePrivateKey, created: datetime, not_before: datetime, expires: datetime
    ) -> Self:
        """The key around a private half."""
        public = private.public_key()
        return cls(thumbprint(public), private, public, created, not_before, expires)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys that are kept, in any order, and what each is good for at an instant."""

    keys: tuple[SigningKey, ...]
    token_lifetime: timedelta

    def __post_init__(self) -> None:
        if not timedelta() < self.token_lifetime <= ROTATION:
            raise ValueError(f"a token lives for up to {ROTATION.days} days, not {self.token_lifetime}")

    def signer(self, now: datetime) -> SigningKey | None:
        """The newest key in use, provided that it outlives the token."""
        return max((key for key in self.keys if self._may_sign(key, now)), key=_seniority, default=None)

    def verifier(self, kid: str, now: datetime) -> SigningKey | None:
        """The key of this name, until the last token that it can have signed is dead."""
        return next((key for key in self.verifiers(now) if key.kid == kid), None)

    def verifiers(self, now: datetime) -> tuple[SigningKey, ...]:
        """The keys to publish, not yet used ones included; the others may be deleted for good."""
        return tuple(key for key in self.keys if now < self.dies(key))

    def dies(self, key: SigningKey) -> datetime:
        """The instant from which no living token can bear this key's signature."""
        successors = (other.not_before for other in self.keys if _seniority(other) > _seniority(key))
        replaced = min(successors, default=None)
        return key.expires if replaced is None else min(key.expires, replaced + self.token_lifetime + PUBLICATION)

    def due(self, now: datetime) -> datetime | None:
        """The `not_before` of the key that should be made now; None where none is due."""
        if self.signer(now) is None:
            return now
        takeover = max(key.not_before for key in self.keys) + ROTATION
        return max(takeover, now + PUBLICATION) if now >= takeover - PUBLICATION else None

    def _may_sign(self, key: SigningKey, now: datetime) -> bool:
        return key.not_before <= now and now + self.token_lifetime <= key.expires


def jwks(keys: tuple[SigningKey, ...]) -> dict[str, list[dict[str, str]]]:
    """The JSON Web Key Set of the public halves (RFC 7517, 5)."""
    return {"keys": [_jwk(key.public) | {"kid": key.kid, "use": "sig", "alg": "ES256"} for key in keys]}


def thumbprint(public: ec.EllipticCurvePublicKey) -> str:
    """The name of a public key, made from nothing but the key (RFC 7638, 3)."""
    canonical = json.dumps(_jwk(public), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _jwk(public: ec.EllipticCurvePublicKey) -> dict[str, str]:
    point = public.public_numbers()
    return {"crv": "P-256", "kty": "EC", "x": _coordinate(point.x), "y": _coordinate(point.y)}


def _coordinate(value: int) -> str:
    # Of full length, leading zeros included (RFC 7518, 6.2.1.2).
    return _base64url(value.to_bytes(32, "big"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _seniority(key: SigningKey) -> tuple[datetime, datetime, str]:
    return key.not_before, key.created, key.kid
