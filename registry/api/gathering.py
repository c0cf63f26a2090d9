"""What is seen on the path of requests and need not be kept at once: gathered in memory, kept now and then (design 8).

note ──▶ a dictionary, bounded ──▶ once a minute, in a thread, what keeps it      what it cannot, it gets the next time
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final, Generic, TypeVar

import structlog

PAUSE: Final = 60.0
"""Seconds between two times that it is kept."""
MOST: Final = 10_000
"""Different ones that are remembered until then; of more, those that came first."""
_log = structlog.get_logger()

Key = TypeVar("Key")
Seen = TypeVar("Seen")


class Gathering(ABC, Generic[Key, Seen]):
    """One worker's. `note` is called on the event loop, everything else in threads."""

    def __init__(self, what: str, pause: float = PAUSE) -> None:
        """`what` is told in the log where it is lost."""
        self._what = what
        self._pause = pause
        self._seen: dict[Key, Seen] = {}
        self._lock = threading.Lock()
        self._written = time.monotonic()

    @abstractmethod
    def _join(self, former: Seen, later: Seen) -> Seen:
        """Both of one key as one."""

    @abstractmethod
    def _keep(self, seen: Mapping[Key, Seen]) -> None:
        """For good, in a thread."""

    def add(self, key: Key, seen: Seen) -> None:
        """One more; forgotten where there are too many."""
        with self._lock:
            former = self._seen.get(key)
            if former is not None:
                self._seen[key] = self._join(former, seen)
            elif len(self._seen) < MOST:
                self._seen[key] = seen

    def refresh(self) -> None:
        """Keep it, if that was long enough ago."""
        if time.monotonic() - self._written >= self._pause:
            self.write()

    def write(self) -> None:
        """Keep it; what cannot be kept waits for the next time."""
        self._written = time.monotonic()
        with self._lock:
            taken, self._seen = self._seen, {}
        if not taken:
            return
        try:
            self._keep(taken)
        except BaseException:
            self._give_back(taken)
            raise

    def close(self) -> None:
        """Keep what is left; nobody is left to try again."""
        try:
            self.write()
        except Exception:
            _log.exception("what was seen could not be written", what=self._what)

    def _give_back(self, taken: Mapping[Key, Seen]) -> None:
        with self._lock:
            since, self._seen = self._seen, dict(taken)
        for key, seen in since.items():
            self.add(key, seen)
