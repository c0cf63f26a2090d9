"""A document of somebody else's, asked for seldom: kept while it is fresh, and a failure is remembered for a moment.

Threads that want it while one fetches it wait, and take what that one got: a provider that hangs costs each of them
one wait, and not one after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from registry.auth.sign_in.refusals import SourceUnavailable

T = TypeVar("T")

LIFETIME: Final = 3600.0
PAUSE: Final = 60.0
REST: Final = 5.0


class Fetched(Generic[T]):
    """What `fetch` brings, which raises SourceUnavailable; seconds of one clock."""

    def __init__(self, fetch: Callable[[], T], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: tuple[T, float] | None = None
        self._failed: tuple[SourceUnavailable, float] | None = None

    def get(self) -> T:
        """As it was within the last hour. Raises: SourceUnavailable."""
        return self._no_older_than(LIFETIME)

    def newer(self) -> T:
        """As it was within the last minute, for who misses something in it. Raises: SourceUnavailable."""
        return self._no_older_than(PAUSE)

    def _no_older_than(self, age: float) -> T:
        with self._lock:
            if self._kept and self._clock() < self._kept[1] + age:
                return self._kept[0]
            if self._failed and self._clock() < self._failed[1] + REST:
                raise SourceUnavailable(self._failed[0].source, self._failed[0].reason)
            try:
                value = self._fetch()
            except SourceUnavailable as error:
                self._failed = error, self._clock()
                raise
            self._kept = value, self._clock()
            return value
