"""Sealing: events are chained behind whoever wrote them, and removed when they are old.

    look: the last seal, and events that none names ──▶ hash, outside of any transaction ──▶ one transaction:
        still the lease's holder, still the last seal? ──▶ the seal, and its id into the events

No cursor over ids: an event whose writer commits late, with an id that was passed long ago, has no seal, and so it is
among the next ones. Killed anywhere, nothing has happened or all of it. Two at once cannot fork the chain: one has the
lease, and no two seals may follow the same one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from registry.core.audit import FIRST, Event, Seal, Wanted, kept_since, line_of
from registry.core.auditing import MOST_SEALED
from registry.core.ports import Metadata, Transaction
from registry.core.tenure import Tenure, TenureLost

AGE: Final = timedelta(seconds=5)
"""Younger ones are left for the next seal, so that a busy registry has few and full ones."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one round did, in events."""

    sealed: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Sealer:
    """Background work of one process at a time; events are kept for `keep` after they were sealed, 0 for ever."""

    metadata: Metadata
    tenure: Tenure
    keep: timedelta

    def run(self) -> Sealed:
        """Everything that is due by now; nothing where another process is at it. Raises: TenureLost."""
        # Mostly there is nothing, and that can be seen without a transaction.
        if not self.metadata.observe(lambda tx: _waiting(tx, 1) or self._old(tx)):
            return Sealed()
        fence = self.tenure.take()
        if fence is None:
            return Sealed()
        sealed = Sealed(self._until_done(self._seal, fence), self._until_done(self._remove, fence))
        self.tenure.release(fence)
        return sealed

    def _until_done(self, batch: Callable[[int], int], fence: int) -> int:
        total = 0
        while done := batch(fence):
            total += done
        return total

    def _seal(self, fence: int) -> int:
        last, events, now = self.metadata.observe(lambda tx: (tx.seals.last(), _waiting(tx, MOST_SEALED), tx.now))
        if not events:
            return 0
        seal = Seal.over(last.hash if last else FIRST, now, [line_of(each) for each in events])

        def add(tx: Transaction) -> None:
            if tx.seals.last() != last:
                raise TenureLost(self.tenure.name)
            tx.seals.add(seal, [each.id for each in events])

        self.tenure.transact(fence, add)
        return len(events)

    def _remove(self, fence: int) -> int:
        seal = self.metadata.observe(self._old)
        return 0 if seal is None else self.tenure.transact(fence, lambda tx: tx.seals.empty(seal))

    def _old(self, tx: Transaction) -> Seal | None:
        since = kept_since(tx.now, self.keep)
        return None if since is None else tx.seals.old(since)


def _waiting(tx: Transaction, most: int) -> list[Event]:
    return list(tx.events.unsealed(Wanted(until=tx.now - AGE), 0, most))
