"""Callers recognised a moment ago, by what they showed: good until anybody commits anything, and for a minute at most.

Whether a credential lives and what was granted to whom are facts of the database, so as long as nothing was committed,
who was let in once is let in again without being looked up. Where commits cannot be had without waiting (PostgreSQL)
nothing is remembered here.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import Final

from registry.api.messages import Identity
from registry.auth.remembered import Remembered

LIFETIME: Final = 60.0
"""Seconds; so a credential that is in use is seen in use."""


class Recognised:
    """One worker's. What was shown is a secret, so its mark is kept, made with a key that this process alone has."""

    def __init__(self, size: int = 4096) -> None:
        self._key = secrets.token_bytes(32)
        self._identities: Remembered[Identity] = Remembered(size)
        self._version: int | None = None

    def find(self, shown: str, address: str, version: int | None, now: float) -> Identity | None:
        """Who showed this from there while the database was at this version; `now` in seconds since 1970."""
        if version is None:
            return None
        if version != self._version:
            self._identities.clear()
            self._version = version
        return self._identities.find(self._mark(shown, address), now)

    def put(self, shown: str, address: str, version: int | None, identity: Identity, now: float) -> None:
        """Remember it, if nobody has committed since `version` was read, which was before anything was looked up."""
        if version is not None and version == self._version:
            until = min(identity.until, now + LIFETIME)
            self._identities.put(self._mark(shown, address), identity, until)

    def _mark(self, shown: str, address: str) -> bytes:
        # No address holds a NUL.
        return blake2b(f"{address}\0{shown}".encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).digest()
