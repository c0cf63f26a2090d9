"""How many requests a caller may make: counted in each worker's memory, for itself.

With two workers a caller may have up to twice as many answered; to count for all of them would cost each request more
than its answer does. Who has a name is counted by it, wherever it is; who has none, by where it comes from.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Final

from registry.core.facts import Caller
from registry.core.logins import source_of
from registry.core.throttle import Allowance
from registry.oci.errors import Busy

MOST: Final = 10_000
"""Callers that are counted; of more, those that asked last."""
_MINUTE: Final = timedelta(minutes=1)
_ZERO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TooManyRequests(Busy):
    """More requests of one caller than the settings allow."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__()
        self.retry_after = max(1, math.ceil(wait.total_seconds()))


class RequestLimits:
    """One worker's: so many requests a minute, all of them at once if need be; 0 is no limit."""

    def __init__(self, per_caller: int = 0, anonymous: int = 0) -> None:
        self._named = _allowance(per_caller)
        self._anonymous = _allowance(anonymous)
        self._until: OrderedDict[int | str, datetime] = OrderedDict()

    def apply_to(self, caller: Caller) -> bool:
        """Whether each of its requests is to be counted."""
        return self._allowance_of(caller) is not None

    def count(self, caller: Caller, seconds: float | None = None) -> None:
        """One more, at this time of a clock that nobody sets. Raises: TooManyRequests."""
        allowance = self._allowance_of(caller)
        if allowance is None:
            return
        now = _ZERO + timedelta(seconds=time.monotonic() if seconds is None else seconds)
        key = source_of(caller.address) if caller.credential is None else caller.principal
        until = self._until.get(key)
        if wait := allowance.wait(until, now):
            raise TooManyRequests(wait)
        self._until[key] = allowance.used(until, now)
        self._until.move_to_end(key)
        if len(self._until) > MOST:
            self._until.popitem(last=False)

    def _allowance_of(self, caller: Caller) -> Allowance | None:
        return self._anonymous if caller.credential is None else self._named


def _allowance(a_minute: int) -> Allowance | None:
    return Allowance(a_minute, _MINUTE / a_minute) if a_minute else None


UNLIMITED: Final = RequestLimits()
