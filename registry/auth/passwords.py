"""Passwords: how they are kept, and how one is compared with what is kept."""

from __future__ import annotations

import re
import secrets
import threading
from dataclasses import dataclass
from typing import Final

from passlib.context import CryptContext  # type: ignore[import-untyped]  # libpass ships no types
from passlib.exc import MissingBackendError  # type: ignore[import-untyped]  # libpass ships no types

AT_ONCE: Final = 2
MAX_PASSWORD: Final = 4096
LEAST_CHOSEN: Final = 8
BCRYPT_LIMIT: Final = 72

# No vowels, so no words; nothing that a reader takes for its neighbour: 0 o, 1 i l, u v.
_ALPHABET: Final = "23456789bcdfghjkmnpqrstvwxyz"
_GROUPS: Final = 6
_GROUP: Final = 4
# Cost 15 takes three seconds; 31, which the format allows, would hold one of the two turns for days.
_BCRYPT: Final = re.compile(r"\$2[aby]?\$(?:0[4-9]|1[0-5])\$[./A-Za-z0-9]{53}")


class UnusablePasswordHash(Exception):
    """A stored hash that no password can be compared with: damaged, or of a scheme that is unknown or not installed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the password was right, and the hash to store in place of one that is out of date."""

    ok: bool
    replacement: str | None = None


def password_context() -> CryptContext:
    """Argon2id (19 MiB, 2 passes, 1 lane: 32 ms) for all we write; bcrypt is only read, for imported htpasswd files."""
    return CryptContext(
        schemes=["argon2", "bcrypt"],
        deprecated=["bcrypt"],
        argon2__type="ID",
        argon2__memory_cost=19 * 1024,
        argon2__time_cost=2,
        argon2__parallelism=1,
    )


class Passwords:
    """Hashes and verifies, two at once in a process, for each takes a core and 19 MiB; call it off the event loop."""

    def __init__(self, context: CryptContext | None = None) -> None:
        self._context = context or password_context()
        self._turn = threading.BoundedSemaphore(AT_ONCE)
        # Made before the first request, or the first unknown account would cost twice what a known one does.
        self._nobody = self.hash(generate())

    def hash(self, password: str) -> str:
        """What to store for `password`. Raises: ValueError where it is empty, overlong or not text."""
        secret = _secret(password)
        if not secret:
            raise ValueError(f"a password has 1 to {MAX_PASSWORD} bytes of text")
        with self._turn:
            return str(self._context.hash(secret))

    def hash_chosen(self, password: str) -> str:
        """The same of one that a person has thought of. Raises: ValueError for fewer than 8 characters too."""
        if len(password) < LEAST_CHOSEN:
            raise ValueError(f"a password has at least {LEAST_CHOSEN} characters")
        return self.hash(password)

    def verify(self, password: str, stored: str | None) -> Verdict:
        """Compare `password` with `stored`; None stands for an unknown account, and costs what a wrong password costs.

        An imported bcrypt hash costs what its author chose, until its owner's first login replaces it.
        Raises: UnusablePasswordHash, once as much time is spent as on any other account.
        """
        secret = _secret(password)
        if secret is None:
            return Verdict(ok=False)
        with self._turn:
            if stored is None:
                self._matches(secret, self._nobody)
                return Verdict(ok=False)
            try:
                if not self._matches(secret, stored):
                    return Verdict(ok=False)
            except UnusablePasswordHash:
                self._matches(secret, self._nobody)
                raise
            outdated = self._context.needs_update(stored)
            return Verdict(ok=True, replacement=str(self._context.hash(secret)) if outdated else None)

    def check(self, stored: str) -> None:
        """Refuse a hash that `verify` could not use, before it is imported. Raises: UnusablePasswordHash."""
        self.verify("", stored)

    def _matches(self, secret: bytes, stored: str) -> bool:
        if stored.startswith("$2"):
            if not _BCRYPT.fullmatch(stored):
                raise UnusablePasswordHash("a bcrypt password hash that is damaged or of a cost beyond 15")
            # What wrote it hashed the first 72 bytes in silence; today's bcrypt would raise instead.
            secret = secret[:BCRYPT_LIMIT]
        try:
            return bool(self._context.verify(secret, stored))
        except MissingBackendError as error:
            raise UnusablePasswordHash("a bcrypt password hash, and the package bcrypt is not installed") from error
        except ValueError as error:
            raise UnusablePasswordHash("a stored password hash that is damaged or of an unknown scheme") from error


def generate() -> str:
    """A random password of 115 bits that can be read aloud and typed, such as `k7mq-3xpz-w9td-h4cn-2rgb-8fjs`."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))


def _secret(password: str) -> bytes | None:
    """The bytes to hash; None for what nobody's password can be: a lone surrogate, a NUL, too long."""
    try:
        secret = password.encode()
    except UnicodeEncodeError:
        return None
    return secret if len(secret) <= MAX_PASSWORD and b"\0" not in secret else None
