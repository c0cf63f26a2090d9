"""Passwords compared off the event loop: not too many at once, not too often, and each only once for all who wait.

    full a moment ago? ──▶ 429      waits in line ──▶ in a thread: full? ──▶ 429
                                                                └─▶ one hash ──▶ a failure is counted before it is told

Who waited in line is asked again when its turn comes: those before it may have failed meanwhile. So an attack costs
hashes as the throttle allows them (`core/logins`), and at most one more for each thread that hashes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

from registry.api.directories import ASKED_AT_ONCE, MOST_ASKING, Directories
from registry.api.services import Threads
from registry.api.waiting_line import WaitingLine
from registry.auth.basic import BasicCredentials
from registry.auth.passwords import AT_ONCE, Passwords, UnusablePasswordHash
from registry.auth.remembered import Remembered
from registry.core.facts import Credential
from registry.core.logins import Attempt, LoginThrottle, TooManyLogins
from registry.core.ports import Metadata
from registry.oci.errors import Busy

Found = TypeVar("Found")

# Two seconds of work: who comes then is told to come again (429).
_MOST_WAITING: Final = 128
_MOST_FULL: Final = 4096


class PasswordChecks:
    """One worker's; `directories` know the passwords of names that have none here."""

    def __init__(
        self, metadata: Metadata, passwords: Passwords, throttle: LoginThrottle, directories: Directories | None = None
    ) -> None:
        self._metadata = metadata
        self._passwords = passwords
        self._throttle = throttle
        self.directories = directories
        # Threads of their own: a flood of wrong passwords must not stand in the way of pushes.
        self._hashing = WaitingLine(Threads(AT_ONCE, yielding=True), _MOST_WAITING)
        # And others for who waits for a directory: one that hangs keeps no other account waiting.
        self._asking = WaitingLine(Threads(ASKED_AT_ONCE), MOST_ASKING)
        self._under_way: dict[tuple[object, ...], asyncio.Task[Any]] = {}
        # Until when a bucket is full: what is refused costs no thread, so a flood of it takes none from others.
        self._full: Remembered[float] = Remembered(_MOST_FULL)

    async def verify(self, basic: BasicCredentials, known: Credential | None, address: str) -> bool:
        """Whether it is the password of `known`, the credential of that name if there is one.

        One hash for all who wait for the same answer. Raises: TooManyLogins; Busy when too many wait for others.
        """
        attempt = self._attempt(basic, address)
        compare = partial(self._compare, basic.password, known)
        if known is None:
            return await self._in_turn(self._hashing, attempt, compare)
        key = known.id, known.version, basic.password, attempt
        is_right = await self._once(key, self._hashing, attempt, compare)
        if self.directories and not is_right:
            with suppress(Busy):
                await self._asking(self.directories.pretend)
        return is_right

    async def verify_elsewhere(self, basic: BasicCredentials, address: str) -> int | None:
        """The credential that stands for a password which some directory says is right.

        Raises: as `verify`, and as `Directories.credential`.
        """
        attempt = self._attempt(basic, address)
        return await self._once((*basic, attempt), self._asking, attempt, partial(self._ask, basic, address))

    async def count_secret(self, address: str) -> None:
        """A secret of our own making was shown that is none. Raises: TooManyLogins, Busy."""
        attempt = self._throttle.limits.by_secret(address)
        self._refuse_what_is_full(attempt)
        # It has failed already.
        await self._in_turn(self._hashing, attempt, bool)

    async def hashed(self, password: str) -> str:
        """As a password is kept. Raises: ValueError for what nobody's can be; Busy."""
        return await self._hashing(self._passwords.hash, password)

    def close(self) -> None:
        """End the threads."""
        self._hashing.close()
        self._asking.close()

    def _attempt(self, basic: BasicCredentials, address: str) -> Attempt:
        attempt = self._throttle.limits.by_password(basic.username, address)
        self._refuse_what_is_full(attempt)
        return attempt

    async def _once(
        self, key: tuple[object, ...], line: WaitingLine, attempt: Attempt, compare: Callable[[], Found]
    ) -> Found:
        """One answer for all who ask the same."""
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._in_turn(line, attempt, compare))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        found: Found = await asyncio.shield(task)
        return found

    async def _in_turn(self, line: WaitingLine, attempt: Attempt, compare: Callable[[], Found]) -> Found:
        try:
            return await line(self._judge, attempt, compare)
        except TooManyLogins as error:
            until = time.monotonic() + error.wait.total_seconds()
            self._full.put(error.bucket.encode(), until, until)
            raise

    def _refuse_what_is_full(self, attempt: Attempt) -> None:
        now = time.monotonic()
        for name, _ in attempt.buckets:
            until = self._full.find(name.encode(), now)
            if until is not None:
                raise TooManyLogins(timedelta(seconds=until - now), name)

    def _judge(self, attempt: Attempt, compare: Callable[[], Found]) -> Found:
        """In a thread: what is found, where nothing is a failure. Raises: TooManyLogins."""
        has_failed_before = self._throttle.admit(attempt)
        found = compare()
        if not found:
            self._throttle.failed(attempt)
        elif has_failed_before:
            self._throttle.succeeded(attempt)
        return found

    def _compare(self, password: str, known: Credential | None) -> bool:
        try:
            verdict = self._passwords.verify(password, known.secret if known else None)
        except UnusablePasswordHash:
            return False
        if verdict.ok and verdict.replacement and known:
            better = verdict.replacement
            self._metadata.transact(lambda tx: tx.accounts.rehash(known, better))
        return verdict.ok

    def _ask(self, basic: BasicCredentials, address: str) -> int | None:
        credential = self.directories.credential(basic, address) if self.directories else None
        if credential is None:
            # What a wrong password of a local user costs, whom a directory is asked about in vain as well.
            self._compare(basic.password, None)
        return credential
