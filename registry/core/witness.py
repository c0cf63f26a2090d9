"""What is told of although no transaction was: writes that were refused, logins that failed, sign-ins.

    tell ──▶ Sights, in memory, bounded ──▶ now and then one transaction for all of them (`api/recorder`)

A flood of refusals is one row that says how often; a flood of different ones is a bounded number of rows, and one more
that says how many are missing. Nobody who is refused costs a transaction.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from registry.core.facts import Action, Caller, Outcome

MOST: Final = 256
"""Different ones that wait together."""
_MOST_REMEMBERED: Final = 4096
_HOUR: Final = 3600.0


class Witness(Protocol):
    """Who is told; on the event loop. It never waits and never fails."""

    def tell(
        self,
        action: Action,
        by: Caller,
        outcome: Outcome,
        *,
        repository: str = "",
        reference: str = "",
        target: str = "",
        detail: str = "",
    ) -> None:
        """`target` is whom or what it was to be done to, where that is no repository.

        Of what was done (`Outcome.DONE`: a sign-in), one an hour is kept of each caller and address.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sight:
    """What an event will be made of. `by` holds no rights, which would be kept for no use."""

    action: Action
    outcome: Outcome
    by: Caller
    repository: str = ""
    reference: str = ""
    target: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """How often, and when first: an instant of whoever counts, in seconds."""

    sight: Sight
    first: float
    times: int = 1


class Sights:
    """What one process has seen and not written yet; each instant is given, in seconds that only go forward."""

    def __init__(self) -> None:
        self._waiting: dict[Sight, Seen] = {}
        self._done: OrderedDict[Sight, float] = OrderedDict()
        self._untold = 0

    def add(self, sight: Sight, now: float) -> None:
        """One more; counted only, where too many different ones wait."""
        if sight.outcome is Outcome.DONE and self._is_known(sight, now):
            return
        seen = self._waiting.get(sight)
        if seen is not None:
            self._waiting[sight] = replace(seen, times=seen.times + 1)
        elif len(self._waiting) < MOST:
            self._waiting[sight] = Seen(sight, now)
        else:
            self._untold += 1

    def take(self) -> tuple[Sequence[Seen], int]:
        """All that wait, in their order, and how many there were beyond them."""
        taken, untold = list(self._waiting.values()), self._untold
        self._waiting.clear()
        self._untold = 0
        return taken, untold

    def give_back(self, taken: Iterable[Seen], untold: int) -> None:
        """They could not be written: they go first the next time."""
        later, more = self.take()
        self._untold = untold + more
        for seen in (*taken, *later):
            former = self._waiting.get(seen.sight)
            if former is not None:
                self._waiting[seen.sight] = replace(former, times=former.times + seen.times)
            elif len(self._waiting) < MOST:
                self._waiting[seen.sight] = seen
            else:
                self._untold += seen.times

    def _is_known(self, sight: Sight, now: float) -> bool:
        """Whether the same was told of within the hour; from now on it was."""
        last = self._done.get(sight)
        if last is not None and now - last < _HOUR:
            return True
        self._done[sight] = now
        self._done.move_to_end(sight)
        if len(self._done) > _MOST_REMEMBERED:
            self._done.popitem(last=False)
        return False


class _Nobody:
    """Where nothing is to be written."""

    def tell(self, *_: object, **__: object) -> None:
        """Nothing comes of it."""


NOBODY: Final[Witness] = _Nobody()
