"""How often is too often: so many at once, and one more each interval (GCRA, the generic cell rate algorithm).

    now ······ until                  each use puts `until` off by one interval, from now at the least
        └────┬────┘
     at most burst intervals          a use that would put it off further has to wait

One instant says everything: how far off it is, is how much was used lately; once it is past, all is forgotten. So in
any span of time there are at most `burst` + span / interval uses, in whatever order they come.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Allowance:
    """`burst` uses at once, and one more each `interval`."""

    burst: int
    interval: timedelta

    def wait(self, until: datetime | None, now: datetime) -> timedelta:
        """How long it is to the next use; nothing when it may be now. `until` is None where nothing was used yet."""
        if until is None:
            return _NONE
        return max(_NONE, until - now - (self.burst - 1) * self.interval)

    def used(self, until: datetime | None, now: datetime) -> datetime:
        """What `until` is after one more use."""
        return (now if until is None else max(until, now)) + self.interval
