"""Bearer tokens: JSON Web Tokens signed with ES256, in the claim format of the token authentication specification.

    header   {"alg": "ES256", "kid": …, "typ": "JWT"}
    payload  iss, aud, sub (principal), cid (credential), jti, iat = nbf, exp, access: [{"type", "name", "actions"}, …]

A token says who was let in and what for, not that it still holds: whoever verifies one asks next whether the
credential lives.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import jwt

from registry.auth.keys import KeyRing, SigningKey
from registry.auth.remembered import Remembered
from registry.auth.scopes import Scope

ALGORITHM: Final = "ES256"
MAX_TOKEN: Final = 16 * 1024
MAX_HEADER: Final = 512
LEEWAY: Final = timedelta(seconds=30)
"""How far another machine's clock may be ahead when it signs; the end of a token knows no leeway."""
REMEMBERED_FOR: Final = 60.0

# Base64url, and 86 characters are the 64 bytes of an ES256 signature.
_SHAPE: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86})")
_HEADER: Final = {"alg", "kid", "typ"}
_REQUIRED: Final = ["iss", "aud", "sub", "jti", "iat", "nbf", "exp"]
_HIGHEST_ROW: Final = 2**63 - 1
_REASONS: Final[dict[type[jwt.PyJWTError], str]] = {
    jwt.InvalidSignatureError: "the signature does not match",
    jwt.InvalidAudienceError: "it is meant for another service",
    jwt.InvalidIssuerError: "another issuer made it",
    jwt.MissingRequiredClaimError: "a claim is missing",
}


class InvalidToken(Exception):
    """A token not to be believed: outside they all read alike, and `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__("invalid token")
        self.reason = reason


class NoSigningKey(Exception):
    """The key ring holds no key that may sign now."""


class TokenTooLarge(Exception):
    """The scopes make a token that no request could carry back."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says; credential is None for anonymous callers. Instants are whole seconds, as in the token."""

    subject: str
    credential: int | None
    scopes: tuple[Scope, ...]
    issued: datetime
    expires: datetime
    jti: str

    @classmethod
    def grant(
        cls, subject: str, credential: int | None, scopes: tuple[Scope, ...], now: datetime, lifetime: timedelta
    ) -> Self:
        """Claims for a new token, to live from now on."""
        issued = now.replace(microsecond=0)
        expires = (now + lifetime).replace(microsecond=0)
        return cls(subject, credential, scopes, issued, expires, jti=secrets.token_urlsafe(16))


@dataclass(frozen=True, slots=True)
class Tokens:
    """Signs and verifies for one issuer and one service (the audience), with the keys that `ring` holds when asked."""

    issuer: str
    audience: str
    ring: Callable[[], KeyRing]

    def issue(self, claims: Claims, now: datetime) -> str:
        """The token that says `claims`. Raises: NoSigningKey, TokenTooLarge; ValueError if it would outlive its key."""
        ring = self.ring()
        key = ring.signer(now)
        if key is None:
            raise NoSigningKey("no signing key may sign now")
        if claims.expires > now + ring.token_lifetime:
            raise ValueError(f"a token lives no longer than {ring.token_lifetime}")
        token = jwt.encode(self._payload(claims), key.private, algorithm=ALGORITHM, headers={"kid": key.kid})
        if len(token) > MAX_TOKEN:
            raise TokenTooLarge(f"a token for {len(claims.scopes)} scopes is longer than {MAX_TOKEN} bytes")
        return token

    def verify(self, token: str, now: datetime) -> Claims:
        """What a token of ours says, while it lives. Raises: InvalidToken."""
        payload = self._signed_payload(token, self._key(_kid(token), now))
        claims = _claims(payload)
        if now >= claims.expires:
            raise InvalidToken("it has expired")
        if claims.issued > now + LEEWAY or _instant(payload["nbf"]) > now + LEEWAY:
            raise InvalidToken("it is from the future")
        return claims

    def _payload(self, claims: Claims) -> dict[str, Any]:
        issued = int(claims.issued.timestamp())
        return {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": claims.subject,
            "cid": claims.credential,
            "jti": claims.jti,
            "iat": issued,
            "nbf": issued,
            "exp": int(claims.expires.timestamp()),
            "access": [{"type": s.type, "name": s.name, "actions": list(s.actions)} for s in claims.scopes],
        }

    def _key(self, kid: str, now: datetime) -> SigningKey:
        """Ours of that name; nothing else in a header can say what to verify with."""
        key = self.ring().verifier(kid, now)
        if key is None:
            raise InvalidToken("no key of ours has its key id")
        return key

    def _signed_payload(self, token: str, key: SigningKey) -> dict[str, Any]:
        # The library reads the machine's clock; ours is an argument, so the instants are compared in verify.
        options: jwt.types.Options = {
            "require": _REQUIRED, "strict_aud": True, "verify_exp": False, "verify_nbf": False, "verify_iat": False,
        }  # fmt: skip
        try:
            return jwt.decode(
                token, key.public, algorithms=[ALGORITHM], audience=self.audience, issuer=self.issuer, options=options
            )
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            reason = next((text for kind, text in _REASONS.items() if isinstance(error, kind)), "it is malformed")
            raise InvalidToken(reason) from error


class VerifiedTokens:
    """Tokens verified a moment ago, by their hash (a signature costs 200 µs); another key ring makes it forget all."""

    def __init__(self, tokens: Tokens, size: int = 4096) -> None:
        self._tokens = tokens
        self._ring = tokens.ring()
        self._verified: Remembered[Claims] = Remembered(size)

    def __len__(self) -> int:
        return len(self._verified)

    def verify(self, token: str, now: datetime) -> Claims:
        """As `Tokens.verify`, remembered for a minute at most, never beyond the token's end. Raises: InvalidToken."""
        ring = self._tokens.ring()
        if ring != self._ring:
            self._verified.clear()
            self._ring = ring
        entry, instant = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest(), now.timestamp()
        claims = self._verified.find(entry, instant)
        if claims is None:
            claims = self._tokens.verify(token, now)
            self._verified.put(entry, claims, until=min(claims.expires.timestamp(), instant + REMEMBERED_FOR))
        return claims

    def clear(self) -> None:
        """Forget every token."""
        self._verified.clear()


def _kid(token: str) -> str:
    """The key id of a token that looks like one of ours: its header holds nothing else (jwk, jku, x5c, crit)."""
    shape = _SHAPE.fullmatch(token) if len(token) <= MAX_TOKEN else None
    if shape is None or len(shape[1]) > MAX_HEADER:
        raise InvalidToken("it is too long or not of three parts")
    try:
        header, _, _ = map(_exactly, shape.groups())
        members = json.loads(header, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise InvalidToken("its header or encoding is malformed") from error
    if not isinstance(members, dict) or members.keys() != _HEADER or members["alg"] != ALGORITHM:
        raise InvalidToken("its header is not one that we write")
    kid = members["kid"]
    if not isinstance(kid, str):
        raise InvalidToken("its key id is not text")
    return kid


def _exactly(part: str) -> bytes:
    """The bytes of a base64url part in its one spelling, unused bits zero, so that no two texts are the same token."""
    data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != part:
        raise ValueError("not canonical base64url")
    return data


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _claims(payload: dict[str, Any]) -> Claims:
    """The claims of a payload that our key signed, read with care still: a key may outlive a version of this code."""
    try:
        scopes = tuple(Scope(entry["type"], entry["name"], tuple(entry["actions"])) for entry in payload["access"])
        credential = None if payload["cid"] is None else _row(payload["cid"])
        issued, expires = _instant(payload["iat"]), _instant(payload["exp"])
        return Claims(payload["sub"], credential, scopes, issued, expires, payload["jti"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidToken("a claim is missing or malformed") from error


def _instant(value: object) -> datetime:
    try:
        return datetime.fromtimestamp(_integer(value), UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise InvalidToken("a claim is no instant") from error


def _row(value: object) -> int:
    number = _integer(value)
    if not 0 < number <= _HIGHEST_ROW:
        raise InvalidToken("a claim names nothing that a database could hold")
    return number


def _integer(value: object) -> int:
    if type(value) is not int:
        raise InvalidToken("a claim is no integer")
    return value
