"""Since when a database does not answer: who asks later waits no longer than who asked first."""

from __future__ import annotations

import time

# Longer than a pool of connections pauses after one that could not be opened.
_AT_LEAST = 4.0


class Outage:
    """Counts patience from the first failure since the database last answered.

    Were it counted anew for each request, those that queue for a thread would wait for each other's patience as well.
    """

    def __init__(self, patience: float) -> None:
        """`patience` is in seconds."""
        self._patience = patience
        self._since: float | None = None

    def ends(self) -> float:
        """Until when who asks now is to try: a moment at least, to find out that it is over."""
        now, since = time.monotonic(), self._since
        return now + self._patience if since is None else max(since + self._patience, now + _AT_LEAST)

    def goes_on(self) -> None:
        """It did not answer."""
        if self._since is None:
            self._since = time.monotonic()

    def is_over(self) -> None:
        """It did."""
        self._since = None
