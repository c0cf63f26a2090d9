"""Robots that will expire soon: told of once, by one process in the world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from registry.core.facts import Caller, Principal
from registry.core.people import PeopleService
from registry.core.tenure import Tenure


@dataclass(slots=True)
class EndsWatch:
    """Asked every round of background work, it looks every `pause`; `by` is who the events are told of."""

    people: PeopleService
    tenure: Tenure
    by: Caller
    clock: Callable[[], datetime]
    pause: timedelta = timedelta(hours=1)
    _next: datetime | None = None

    def run(self) -> Sequence[Principal]:
        """Those that were not told of before; none where another process is at it."""
        now = self.clock()
        if self._next is not None and now < self._next:
            return []
        fence = self.tenure.take()
        if fence is None:
            return []
        ending = self.people.warn_of_ends(self.by)
        self.tenure.release(fence)
        self._next = now + self.pause
        return ending
