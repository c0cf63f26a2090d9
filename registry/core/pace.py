"""A bounded rate: how long to rest after so many bytes, decided from instants that one is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """At most `rate` bytes a second, over any stretch of time; what was not used is not made up for later."""

    rate: int
    _next: float = 0.0

    def spend(self, count: int, now: float) -> float:
        """Seconds to rest now that `count` bytes were read; `now` is in seconds from anywhere, and never goes back."""
        self._next = max(self._next, now) + count / self.rate
        return self._next - now
