"""Credentials verified a moment ago: a client that sends Basic with each request costs one password hash a minute.

An entry is HMAC-SHA256(key of this process, source ‖ username ‖ password ‖ credential ‖ version), each part behind its
length. The password is not kept, a copy of the entries is of no use elsewhere, and a credential that changed has
another version, hence no entry.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from typing import Final

from registry.auth.remembered import Remembered

LIFETIME: Final = 60.0


class VerifiedCredentials:
    """Whether a password was right for a credential as it now stands; failures are not remembered.

    Only where it was shown: elsewhere it would tell a guesser, who is made to wait, that this one is right.
    The caller reads the credential's id and version first, at every request: so a revocation is seen at once.
    """

    def __init__(self, size: int = 4096, lifetime: float = LIFETIME) -> None:
        if not 0 < lifetime <= LIFETIME:
            raise ValueError(f"verified credentials may be kept up to {LIFETIME} s, not {lifetime}")
        self._key = secrets.token_bytes(32)
        self._lifetime = lifetime
        self._verified: Remembered[bool] = Remembered(size)

    def __len__(self) -> int:
        return len(self._verified)

    def get(self, source: str, username: str, password: str, credential: int, version: int, now: float) -> bool:
        """Whether this very login was verified less than a lifetime ago; `now` is a monotonic clock's."""
        return self._verified.find(self._entry(source, username, password, credential, version), now) is not None

    def put(self, source: str, username: str, password: str, credential: int, version: int, now: float) -> None:
        """Remember a login that has just been verified at `now`."""
        self._verified.put(
            self._entry(source, username, password, credential, version), True, until=now + self._lifetime
        )

    def clear(self) -> None:
        """Forget every login."""
        self._verified.clear()

    def _entry(self, source: str, username: str, password: str, credential: int, version: int) -> bytes:
        parts = source.encode(), username.encode(), password.encode(), str(credential).encode(), str(version).encode()
        return hmac.digest(self._key, b"".join(_with_lengths(parts)), "sha256")


def _with_lengths(parts: Iterable[bytes]) -> Iterable[bytes]:
    # Without its length, the end of a name could be taken for the beginning of a password.
    for part in parts:
        yield len(part).to_bytes(8, "big")
        yield part
