"""When credentials were used last: gathered in memory, and written down now and then, off every request's path."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import structlog

from registry.core.credentials import CredentialService

PAUSE: Final = 60.0
"""Seconds between two transactions that write it down."""
MOST: Final = 10_000
"""Credentials that are remembered until then; of more, those that came first."""
_log = structlog.get_logger()


class LastUse:
    """One worker's. `note` is called on the event loop, everything else in threads."""

    def __init__(self, credentials: CredentialService, pause: float = PAUSE) -> None:
        self._credentials = credentials
        self._pause = pause
        self._used: dict[int, float] = {}
        self._lock = threading.Lock()
        self._written = time.monotonic()

    def note(self, credential: int) -> None:
        """It is used now."""
        with self._lock:
            if len(self._used) < MOST or credential in self._used:
                self._used[credential] = time.time()

    def refresh(self) -> None:
        """Write it down, if that is long enough ago."""
        if time.monotonic() - self._written >= self._pause:
            self.write()

    def write(self) -> None:
        """Write it down; what cannot be written is kept for the next time."""
        self._written = time.monotonic()
        with self._lock:
            taken, self._used = self._used, {}
        try:
            self._credentials.note_use((each, datetime.fromtimestamp(at, UTC)) for each, at in taken.items())
        except BaseException:
            self._give_back(taken)
            raise

    def close(self) -> None:
        """Write down what is left; nobody is left to try again."""
        try:
            self.write()
        except Exception:
            _log.exception("when credentials were used last could not be written")

    def _give_back(self, taken: Mapping[int, float]) -> None:
        with self._lock:
            self._used = {**taken, **self._used}
