"""Keeps the ring of signing keys: sealed in SQL, open in memory, renewed in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from registry.auth.key_file import KeyFile, UnreadableKey
from registry.auth.keys import KeyRing, SigningKey
from registry.core.ports import Metadata, Transaction


class KeyKeeper:
    """The ring that this process signs and verifies with; each process refreshes its own, well within `PUBLICATION`."""

    def __init__(self, metadata: Metadata, key_file: KeyFile, token_lifetime: timedelta) -> None:
        self._metadata = metadata
        self.key_file = key_file
        self._token_lifetime = token_lifetime
        self._ring = KeyRing((), token_lifetime)

    def ring(self) -> KeyRing:
        """The keys as they were last read."""
        return self._ring

    def refresh(self, now: datetime) -> None:
        """Read the keys again, and add the one that is due."""
        self._ring = self._metadata.observe(self._read)
        if self._ring.due(now) is not None:
            self._ring = self._metadata.transact(lambda tx: self._renew(tx, now))

    def _renew(self, tx: Transaction, now: datetime) -> KeyRing:
        # Asked again with the database ours: another worker may have been quicker.
        ring = self._read(tx)
        not_before = ring.due(now)
        if not_before is None:
            return ring
        key = SigningKey.generate(now, not_before)
        tx.accounts.add_signing_key(key.kid, self.key_file.seal(key), key.created, key.expires)
        return KeyRing((*ring.keys, key), self._token_lifetime)

    def _read(self, tx: Transaction) -> KeyRing:
        keys = (self._unsealed(sealed) for _, sealed in tx.accounts.signing_keys())
        return KeyRing(tuple(key for key in keys if key is not None), self._token_lifetime)

    def _unsealed(self, sealed: bytes) -> SigningKey | None:
        """None for a key under another key file: its tokens are void, and a new key takes its place."""
        try:
            return self.key_file.unseal(sealed)
        except UnreadableKey:
            return None
