"""Passwords compared off the event loop: not too many at once, not too often, and each only once for all who wait.

    full a moment ago? ──▶ 429      waits in line ──▶ in a thread: full? ──▶ 429
                                                                └─▶ one hash ──▶ a failure is counted before it is told

Who waited in line is asked again when its turn comes: those before it may have failed meanwhile. So an attack costs
hashes as the throttle allows them (`core/logins`), and at most one more for each thread that hashes.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Final

from registry.api.services import Threads
from registry.auth.basic import BasicCredentials
from registry.auth.passwords import AT_ONCE, Passwords, UnusablePasswordHash
from registry.auth.remembered import Remembered
from registry.core.facts import Credential
from registry.core.logins import Attempt, LoginThrottle, TooManyLogins
from registry.core.ports import Metadata
from registry.oci.errors import Busy

# Two seconds of work: who comes then is told to come again (429).
_MOST_WAITING: Final = 128
_MOST_FULL: Final = 4096


class PasswordChecks:
    """One worker's."""

    def __init__(self, metadata: Metadata, passwords: Passwords, throttle: LoginThrottle) -> None:
        self._metadata = metadata
        self._passwords = passwords
        self._throttle = throttle
        # Threads of their own: a flood of wrong passwords must not stand in the way of pushes.
        self._hashing = Threads(AT_ONCE, yielding=True)
        self._under_way: dict[tuple[int, int, str, Attempt], asyncio.Task[bool]] = {}
        self._waiting = 0
        # Until when a bucket is full: what is refused costs no thread, so a flood of it takes none from others.
        self._full: Remembered[float] = Remembered(_MOST_FULL)

    async def verify(self, basic: BasicCredentials, known: Credential | None, address: str) -> bool:
        """Whether it is the password of `known`, the credential of that name if there is one.

        One hash for all who wait for the same answer. Raises: TooManyLogins; Busy when too many wait for others.
        """
        attempt = self._throttle.limits.by_password(basic.username, address)
        self._refuse_what_is_full(attempt)
        if known is None:
            return await self._in_turn(basic.password, None, attempt)
        key = known.id, known.version, basic.password, attempt
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._in_turn(basic.password, known, attempt))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def count_secret(self, address: str) -> None:
        """A secret of our own making was shown that is none. Raises: TooManyLogins, Busy."""
        attempt = self._throttle.limits.by_secret(address)
        self._refuse_what_is_full(attempt)
        await self._in_turn(None, None, attempt)

    async def hashed(self, password: str) -> str:
        """As a password is kept. Raises: ValueError for what nobody's can be."""
        return await self._hashing(self._passwords.hash, password)

    def close(self) -> None:
        """End the threads."""
        self._hashing.close()

    async def _in_turn(self, password: str | None, known: Credential | None, attempt: Attempt) -> bool:
        if self._waiting >= _MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            return await self._hashing(self._judge, password, known, attempt)
        except TooManyLogins as error:
            until = time.monotonic() + error.wait.total_seconds()
            self._full.put(error.bucket.encode(), until, until)
            raise
        finally:
            self._waiting -= 1

    def _refuse_what_is_full(self, attempt: Attempt) -> None:
        now = time.monotonic()
        for name, _ in attempt.buckets:
            until = self._full.find(name.encode(), now)
            if until is not None:
                raise TooManyLogins(timedelta(seconds=until - now), name)

    def _judge(self, password: str | None, known: Credential | None, attempt: Attempt) -> bool:
        """In a thread. Without a password, it has failed already. Raises: TooManyLogins."""
        has_failed_before = self._throttle.admit(attempt)
        is_right = password is not None and self._compare(password, known)
        if not is_right:
            self._throttle.failed(attempt)
        elif has_failed_before:
            self._throttle.succeeded(attempt)
        return is_right

    def _compare(self, password: str, known: Credential | None) -> bool:
        try:
            verdict = self._passwords.verify(password, known.secret if known else None)
        except UnusablePasswordHash:
            return False
        if verdict.ok and verdict.replacement and known:
            better = verdict.replacement
            self._metadata.transact(lambda tx: tx.accounts.rehash(known, better))
        return verdict.ok
